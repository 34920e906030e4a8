// A name counts when it leads back to the address; what nobody can say is no "no".
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "dns/confirmed_name.hpp"
#include "tests/dns_scripted.hpp"

namespace postern::dns {
namespace {

using namespace std::chrono_literals;
using Kind = ConfirmedName::Outcome::Kind;

class Confirming final : public ConfirmedName {
 public:
  using ConfirmedName::ConfirmedName;
  std::vector<Outcome> outcomes;
  std::unique_ptr<Confirming>* self = nullptr;

 private:
  void ended(const Outcome& outcome) override {
    outcomes.push_back(outcome);
    if (self != nullptr) self->reset();
  }
};

class DnsConfirmedName : public testing::Test, public Resolver {
 protected:
  DnsConfirmedName() {
    auto transport = std::make_unique<Scripted>();
    transport_ = transport.get();
    channel_ = std::make_unique<Channel>(ChannelSettings{}, std::move(transport), base::SipHash::Key{1, 2});
  }
  const Answer* ask(const Question& question, Request& request) override {
    return channel_->ask(question, request, now_);
  }

  const ConfirmedName::Outcome* begin(Confirming& one, std::string_view address = "192.0.2.1") {
    return one.begin(*base::parse_address(address));
  }
  void hear(const Message& message) {
    const Sending sent = transport_->sent.at(next_++);
    transport_->to_say.emplace_back([=] { sent.receiver->heard(sent.token, message.view()); });
    channel_->process(now_);
  }
  void hear_nothing() {
    const Sending sent = transport_->sent.at(next_++);
    transport_->to_say.emplace_back([=] { sent.receiver->heard_nothing(sent.token, Answer::Failure::timed_out); });
    channel_->process(now_);
  }
  [[nodiscard]] std::string asked(std::size_t which) const { return transport_->sent.at(which).name(); }
  static Message names(std::initializer_list<std::string_view> all) {
    Message message(Type::ptr, "1.2.0.192.in-addr.arpa");
    for (const std::string_view name : all) message.record("1.2.0.192.in-addr.arpa", 12, 60, Message::wire(name));
    return message;
  }
  static Message address(std::string_view name, char last) {
    return Message(Type::a, name).a(name, 60, std::string("\xc0\0\2", 3) + last);
  }
  static Message no(Type type, std::string_view name) { return Message(type, name, 0x8183); }

  Scripted* transport_ = nullptr;
  std::unique_ptr<Channel> channel_;
  base::Time now_ = base::Time(1000s);
  std::size_t next_ = 0;
};

TEST_F(DnsConfirmedName, is_one_that_leads_back) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one));
  EXPECT_EQ("1.2.0.192.in-addr.arpa", asked(0));
  hear(names({"mail.test"}));
  EXPECT_EQ("mail.test", asked(1));
  EXPECT_TRUE(one.outcomes.empty());
  hear(address("mail.test", 1));
  ASSERT_EQ(1U, one.outcomes.size());
  EXPECT_EQ((ConfirmedName::Outcome{Kind::confirmed, "mail.test"}), one.outcomes[0]);
  Confirming known(*this);
  ASSERT_TRUE(begin(known));
  EXPECT_EQ(one.outcomes[0], *begin(known));
  EXPECT_TRUE(known.outcomes.empty());
}

TEST_F(DnsConfirmedName, is_none_that_leads_elsewhere) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one));
  hear(names({"mail.test", "other.test"}));
  hear(address("mail.test", 9));
  hear(no(Type::a, "other.test"));
  EXPECT_EQ(Kind::none, one.outcomes.at(0).kind);
}

TEST_F(DnsConfirmedName, needs_a_name_at_all) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one));
  hear(no(Type::ptr, "1.2.0.192.in-addr.arpa"));
  EXPECT_EQ(Kind::none, one.outcomes.at(0).kind);
}

TEST_F(DnsConfirmedName, is_the_first_in_the_order_of_the_answer) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one));
  hear(names({"a.test", "b.test", "c.test"}));
  hear(address("a.test", 9));
  hear(address("b.test", 1));
  EXPECT_TRUE(one.outcomes.empty());
  hear(address("c.test", 1));
  EXPECT_EQ((ConfirmedName::Outcome{Kind::confirmed, "b.test"}), one.outcomes.at(0));
}

TEST_F(DnsConfirmedName, may_be_unknown) {
  Confirming reverse(*this), forward(*this), both(*this);
  EXPECT_FALSE(begin(reverse));
  hear_nothing();
  EXPECT_EQ(Kind::failed, reverse.outcomes.at(0).kind);
  now_ += 10s;
  EXPECT_FALSE(begin(forward));
  hear(names({"a.test", "b.test"}));
  hear_nothing();
  hear(address("b.test", 9));
  EXPECT_EQ(Kind::failed, forward.outcomes.at(0).kind);
  now_ += 60s;
  EXPECT_FALSE(begin(both));
  hear(names({"a.test", "b.test"}));
  hear_nothing();
  hear(address("b.test", 1));
  EXPECT_EQ(Kind::confirmed, both.outcomes.at(0).kind);
}

TEST_F(DnsConfirmedName, asks_for_four_names_at_most) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one));
  hear(names({"a.test", "b.test", "c.test", "d.test", "e.test"}));
  EXPECT_EQ(5U, transport_->sent.size());
  for (const char* const name : {"a.test", "b.test", "c.test", "d.test"}) hear(no(Type::a, name));
  EXPECT_EQ(Kind::none, one.outcomes.at(0).kind);
}

TEST_F(DnsConfirmedName, of_an_ipv6_address_has_aaaa_records) {
  Confirming one(*this);
  EXPECT_FALSE(begin(one, "2001:db8::1"));
  const std::string name = asked(0);
  EXPECT_TRUE(name.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
  hear(Message(Type::ptr, name).record(name, 12, 60, Message::wire("six.test")));
  const std::string_view address("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  hear(Message(Type::aaaa, "six.test").record("six.test", 28, 60, address));
  EXPECT_EQ((ConfirmedName::Outcome{Kind::confirmed, "six.test"}), one.outcomes.at(0));
}

TEST_F(DnsConfirmedName, may_end_silently_or_destroy_itself) {
  auto gone = std::make_unique<Confirming>(*this);
  auto itself = std::make_unique<Confirming>(*this);
  itself->self = &itself;
  Confirming cancelled(*this);
  EXPECT_FALSE(begin(*gone));
  EXPECT_FALSE(begin(*itself));
  EXPECT_FALSE(begin(cancelled));
  gone.reset();
  cancelled.cancel();
  hear(names({"a.test"}));
  hear(address("a.test", 1));
  EXPECT_FALSE(itself);
  EXPECT_TRUE(cancelled.outcomes.empty());
}

// Each client chooses the servers that his names are asked of.
TEST_F(DnsConfirmedName, leaves_places_for_dns_lists) {
  class OfList final : public Request {
    void ended(const Answer&) override {}
  } of_list;
  std::vector<std::unique_ptr<Confirming>> many;
  for (int i = 0; i < 300; ++i) {
    many.push_back(std::make_unique<Confirming>(*this));
    static_cast<void>(begin(*many.back(), "198.18." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1)));
  }
  EXPECT_EQ(nullptr, channel_->ask({.type = Type::a, .name = "1.0.18.198.bl.test", .zone = "bl.test"}, of_list, now_));
}

TEST_F(DnsConfirmedName, is_none_that_a_program_may_take_for_an_option) {
  Confirming one(*this);
  EXPECT_EQ(nullptr, begin(one));
  hear(names({"-rf.example", "mail.example"}));
  EXPECT_EQ("mail.example", asked(1));
  EXPECT_EQ(2U, transport_->sent.size());
}

}  // namespace
}  // namespace postern::dns
