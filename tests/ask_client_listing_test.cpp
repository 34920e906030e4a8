#include <gtest/gtest.h>

#include "ask/client_listing.hpp"
#include "ask/inquiry.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using spec::Event;
namespace bit = spec::bit;

dns::Answer found(std::string_view address) {
  dns::Answer answer{.kind = dns::Answer::Kind::found};
  answer.addresses.push_back(base::parse_address(address).value());
  return answer;
}
const dns::Answer none{.kind = dns::Answer::Kind::none}, timed_out = dns::failed(dns::Answer::Failure::timed_out);

class Listings : public ::testing::Test {
 protected:
  ClientListing listing(std::string_view client = "192.0.2.1") const {
    return {lists_, 2, base::parse_address(client).value()};
  }
  std::vector<config::DnsList> lists_ =
      config::parse_dns_lists(
          "a.example=127.0.0.2*2 a.example=127.0.0.3 ipv4:b.example=127.0.0.2 w.example=127.0.0.2*-1")
          .value();
};

TEST_F(Listings, the_verdict_is_there_with_the_last_answer) {
  ClientListing asked = listing();
  EXPECT_EQ("1.2.0.192.a.example", asked.name_of(0));
  EXPECT_EQ(std::nullopt, asked.name_of(1)) << "the first entry asks for it";
  EXPECT_EQ("1.2.0.192.w.example", asked.name_of(3));
  asked.take(3, none);
  asked.take(0, found("127.0.0.2"));
  EXPECT_EQ(nullptr, asked.verdict()) << "a white list may still save it";
  asked.take(2, timed_out);
  ASSERT_NE(nullptr, asked.verdict());
  EXPECT_TRUE(asked.verdict()->is_listed);
  EXPECT_EQ("192.0.2.1 is on a.example", asked.verdict()->words);
  EXPECT_EQ("b.example (timed out)", describe(asked.verdict()->unanswered));
  EXPECT_EQ(std::vector<std::string>{"a.example"}, asked.verdict()->listed_by);
}

TEST_F(Listings, what_is_silent_counts_nothing) {
  ClientListing asked = listing();
  asked.take(2, found("127.0.0.2"));
  asked.close();
  ASSERT_NE(nullptr, asked.verdict());
  EXPECT_FALSE(asked.verdict()->is_listed);
  asked.take(0, found("127.0.0.2"));
  EXPECT_EQ(1, asked.verdict()->score) << "what comes later, too";
  EXPECT_EQ("a.example (timed out), w.example (timed out)", describe(asked.verdict()->unanswered));
}

TEST_F(Listings, each_list_says_why_it_did_not_answer) {
  using enum dns::Answer::Failure;
  ClientListing asked = listing();
  asked.take(0, dns::failed(servfail));
  asked.take(2, dns::failed(refused));
  asked.take(3, dns::failed(resting));
  EXPECT_EQ("a.example (SERVFAIL), b.example (REFUSED), w.example (left alone, it did not answer for long)",
            describe(asked.verdict()->unanswered));
}

TEST_F(Listings, an_error_of_a_list_is_named_with_its_address) {
  ClientListing asked = listing("2001:db8::1");
  EXPECT_EQ(std::nullopt, asked.name_of(2));
  asked.take(0, found("127.255.255.254"));
  asked.take(3, found("2001:db8::2"));
  ASSERT_NE(nullptr, asked.verdict());
  EXPECT_EQ("a.example (127.255.255.254)", describe(asked.verdict()->unanswered));
  EXPECT_EQ(0, asked.verdict()->score);
}

TEST_F(Listings, where_nobody_is_asked_the_verdict_is_there_at_once) {
  lists_ = config::parse_dns_lists("ipv4:b.example=127.0.0.2").value();
  EXPECT_NE(nullptr, listing("2001:db8::1").verdict());
}

TEST_F(Listings, they_are_asked_only_where_something_could_come_of_it) {
  config::Start start;
  EXPECT_FALSE(asks_dns_lists(start));
  start.dns_lists = lists_;
  EXPECT_TRUE(asks_dns_lists(start));
  for (const char* client : {"192.0.2.1", "8.8.8.8", "172.32.0.1", "2001:db8::1", "2600::1"})
    EXPECT_TRUE(asks_dns_lists(start, base::parse_address(client).value())) << client;
  for (const char* client : {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "::1",
                             "fd00::1", "fe80::1", "::ffff:10.1.2.3"})
    EXPECT_FALSE(asks_dns_lists(start, base::parse_address(client).value())) << client;
  start.settings_and_facts.set(bit::REQUIRE_AUTH, true);
  EXPECT_FALSE(asks_dns_lists(start));
  start.dnsbl_at_connect = true;
  EXPECT_TRUE(asks_dns_lists(start));
  start.settings_and_facts.set(bit::relay_client, true);
  EXPECT_FALSE(asks_dns_lists(start));
  start.settings_and_facts = {};
  start.event = Event::connect_bad_value;
  EXPECT_FALSE(asks_dns_lists(start));
}

// As the session has it: `zone of what`.
class DomainQuestions : public ::testing::Test {
 protected:
  DomainQuestions() {
    start_.sender_lists = config::parse_dns_lists("a.example=127.0.1.2 s.example=127.0.1.2", by_domain).value();
    start_.helo_lists = config::parse_dns_lists("a.example=127.0.1.2 h.example=127.0.1.2", by_domain).value();
    start_.shared_domain_lists = config::lists_of_both(start_.sender_lists, start_.helo_lists);
  }
  std::vector<std::string> asked(const std::string& sender, const std::string& helo) const {
    engine::LoneSession session({.settings_and_facts = {}, .host = "mx.example.org"});
    static_cast<void>(session.report(Event::connect_ready));
    std::array<char, 512> scratch{};
    static_cast<void>(session.step("EHLO " + helo + "\r\n", scratch));
    static_cast<void>(session.step("MAIL FROM:<" + sender + ">\r\n", scratch));
    std::vector<std::string> names;
    for (const DnsInquiry& each : domain_inquiries(start_, session))
      for (std::size_t i = 0; i < each.lists.size(); ++i)
        if (asks_for(each.lists, i, each.subject) == i)
          names.push_back(name_to_ask(each.lists[i], each.subject).value_or(""));
    return names;
  }

  static constexpr auto by_domain = config::ListedBy::domain;
  config::Start start_;
};

TEST_F(DomainQuestions, one_name_is_asked_about_in_each_zone_once) {
  using Names = std::vector<std::string>;
  EXPECT_EQ((Names{"x.test.a.example", "x.test.s.example", "y.test.a.example", "y.test.h.example"}),
            asked("u@x.test", "y.test"));
  EXPECT_EQ((Names{"x.test.a.example", "x.test.s.example", "x.test.h.example"}), asked("u@X.test", "x.TEST"));
  EXPECT_EQ((Names{"x.test.a.example", "x.test.h.example"}), asked("", "x.test"));
  EXPECT_EQ((Names{"x.test.a.example", "x.test.s.example"}), asked("u@x.test", "[192.0.2.1]"));
}

// A client that has sent RCPT, and what is known of it.
class Asked : public Listings, private Facts {
 protected:
  Asked() {
    home_.write("control/rcpthosts", "example.org\n");
    start_.dns_lists = lists_;
  }
  std::optional<Event> event(std::string_view recipient = "b@example.org") {
    session_.emplace(engine::Service{.settings_and_facts = start_.settings_and_facts, .host = "mx.example.org"});
    static_cast<void>(session_->report(Event::connect_ready));
    std::array<char, 512> scratch{};
    static_cast<void>(session_->step("MAIL FROM:<a@client.example>\r\n", scratch));
    const std::string line = "RCPT TO:<" + std::string(recipient) + ">\r\n";
    static_cast<void>(session_->step(line, scratch));
    Recipients recipients;
    const ask::Asked answer = ask::ask(engine::Question::recipient, *this, recipients);
    const auto* const finding = std::get_if<Finding>(&answer);
    if (finding == nullptr) return std::nullopt;
    address_ = finding->answer.text;
    words_ = finding->answer.words;
    return finding->answer.event;
  }

  tests::Home home_;
  config::Start start_;
  DnsStanding standing_;
  std::vector<Waits> looks_;
  std::string address_, words_;

 private:
  [[nodiscard]] const engine::Session& session() const override { return *session_; }
  [[nodiscard]] const config::Start& start() const override { return start_; }
  [[nodiscard]] const base::Environment& environment() override { return environment_; }
  [[nodiscard]] std::span<char* const> check_program() override { return {}; }
  [[nodiscard]] std::string local_ip() override { return {}; }
  [[nodiscard]] std::string_view relay_value() override { return {}; }
  [[nodiscard]] DnsStanding dns_standing(Waits waits) override {
    looks_.push_back(waits);
    return standing_;
  }

  std::optional<engine::LoneSession> session_;
  base::Environment environment_;
};

TEST_F(Asked, a_recipient_of_ours_waits_for_the_lists) {
  const DnsVerdict listed{.is_listed = true, .words = "192.0.2.1 is on a.example"}, unlisted;
  EXPECT_EQ(Event::recipient_ours, event()) << "nobody asks";
  standing_.is_awaited = true;
  EXPECT_EQ(std::nullopt, event());
  standing_ = {.verdict = &listed};
  EXPECT_EQ(Event::recipient_client_listed, event());
  EXPECT_EQ("b@example.org", address_);
  EXPECT_EQ("192.0.2.1 is on a.example", words_);
  standing_ = {.verdict = &unlisted};
  EXPECT_EQ(Event::recipient_ours, event());
  EXPECT_EQ(std::vector<Waits>(4, Waits::yes), looks_);
}

TEST_F(Asked, nothing_else_does) {
  const DnsVerdict listed{.is_listed = true};
  standing_ = {.verdict = &listed};
  home_.write("control/badrcptto", "gone@example.org\n");
  EXPECT_EQ(Event::recipient_foreign, event("b@elsewhere.example"));
  EXPECT_EQ(Event::recipient_refused, event("gone@example.org"));
  start_.dns_lists.clear();
  EXPECT_EQ(Event::recipient_ours, event());
  EXPECT_TRUE(looks_.empty());
}

TEST_F(Asked, who_may_relay_does_not_wait) {
  start_.settings_and_facts.set(bit::relay_client, true);
  standing_.is_awaited = true;
  EXPECT_EQ(Event::recipient_ours, event());
  EXPECT_EQ(std::vector<Waits>(1, Waits::no), looks_);
}

}  // namespace
}  // namespace postern::ask
