// Recipients that are asked of a mail cluster on a loop: once each, remembered for each cluster, never over too many connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/recipient_probes.hpp"
#include "tests/lmtp_meeting.hpp"

namespace postern::server {
namespace {

using deliver::Cluster;
using deliver::Manner;
using limits::RecipientStanding;
using spec::Event;

class RecipientProbesTest : public ::testing::Test {
 protected:
  struct Client {
    std::optional<RecipientStanding> answer{};
    bool was_told_at_once = false;
    Event wanted = Event::recipient_unknowable;
  };

  class Asker final : public RecipientAsker {
   public:
    Asker(RecipientProbesTest& test, Client& client) : test_(test), client_(client) {}
    void hear(const RecipientStanding& standing) override {
      client_.answer = standing;
      if (--test_.waiting_ == 0) test_.begin_rounds();
    }

   private:
    RecipientProbesTest& test_;
    Client& client_;
  };

  // One for each mail cluster, as a way out has it.
  deliver::LmtpCluster& way_to(const Cluster& cluster) {
    for (const auto& way : ways_)
      if (way->settings().address.text == cluster.address()) return *way;
    return *ways_.emplace_back(std::make_unique<deliver::LmtpCluster>(deliver::settings_for(cluster.address())));
  }

  Client& ask_one(const Cluster& cluster, const std::string& recipient) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    std::unique_ptr<RecipientAsker> asker = std::make_unique<Asker>(*this, client);
    client.answer = probes_.ask(way_to(cluster), recipient, asker);
    client.was_told_at_once = client.answer.has_value();
    if (!client.answer) ++waiting_;
    return client;
  }

  // A round begins when the one before it has been heard: a loop that has stopped runs no more.
  void then(std::function<void()> round) { rounds_.push_back(std::move(round)); }
  // All of them are asked about before any answer comes.
  void then(const Cluster& cluster, std::vector<std::string> recipients, std::vector<Event> wanted) {
    then([&cluster, recipients = std::move(recipients), wanted = std::move(wanted), this] {
      for (std::size_t i = 0; i < recipients.size(); ++i) ask_one(cluster, recipients[i]).wanted = wanted[i];
    });
  }
  void begin_rounds() {
    while (waiting_ == 0 && begun_ < rounds_.size()) rounds_[begun_++]();
    if (waiting_ == 0) loop_->stop();
  }
  void run() {
    begin_rounds();
    loop_->run();
    for (const auto& client : clients_)
      EXPECT_EQ(client->wanted, client->answer.value().event) << client->answer->trouble;
  }
  static std::size_t count(const std::vector<std::string>& commands, std::string_view begin) {
    return static_cast<std::size_t>(
        std::ranges::count_if(commands, [&](const std::string& each) { return each.starts_with(begin); }));
  }

  std::unique_ptr<loop::Loop> loop_ = loop::Loop::make().value();
  std::vector<std::unique_ptr<deliver::LmtpCluster>> ways_;
  RecipientProbes probes_{*loop_};
  std::vector<std::unique_ptr<Client>> clients_;
  int waiting_ = 0;
  std::vector<std::function<void()>> rounds_;
  std::size_t begun_ = 0;
};

using Events = std::vector<Event>;
constexpr Event ours = Event::recipient_ours, unknown = Event::recipient_unknown,
                unknowable = Event::recipient_unknowable;

TEST_F(RecipientProbesTest, equal_questions_are_asked_once_and_all_hear) {
  Cluster cluster({{.rcpt = {"550 nobody\r\n"}}});
  then(cluster, {"a@x.example", "a@x.example", "a@x.example"}, Events(3, unknown));
  run();
  EXPECT_EQ(1U, count(cluster.commands(), "RCPT"));
  EXPECT_EQ(0U, count(cluster.commands(), "DATA"));
}

TEST_F(RecipientProbesTest, what_was_answered_is_known_also_when_the_cluster_has_gone) {
  Cluster cluster({Manner{}});
  then(cluster, {"a@x.example"}, {ours});
  then(cluster, {"a@x.example"}, {ours});
  then([&] { cluster.stop(); });
  then(cluster, {"a@x.example", "b@x.example"}, {ours, unknowable});
  run();
  EXPECT_TRUE(clients_[1]->was_told_at_once);
  EXPECT_TRUE(clients_[3]->answer->trouble.starts_with("mail cluster " + cluster.address() + ": "));
  EXPECT_EQ(1U, count(cluster.commands(), "RCPT"));
}

TEST_F(RecipientProbesTest, another_cluster_is_asked_itself) {
  Cluster first({Manner{}}), second({{.rcpt = {"550 nobody\r\n"}}});
  then(first, {"a@x.example"}, {ours});
  then(second, {"a@x.example"}, {unknown});
  then(first, {"a@x.example"}, {ours});
  run();
  EXPECT_EQ(1U, count(first.commands(), "RCPT"));
}

TEST_F(RecipientProbesTest, what_nobody_knows_is_asked_again) {
  Cluster cluster({{.rcpt = {"450 later\r\n"}}});
  then(cluster, {"a@x.example"}, {unknowable});
  then(cluster, {"a@x.example"}, {unknowable});
  run();
  EXPECT_EQ(2U, count(cluster.commands(), "RCPT"));
}

TEST_F(RecipientProbesTest, connections_are_few_and_used_again) {
  Cluster cluster({Manner{}});
  std::vector<std::string> recipients;
  for (int i = 0; i < 200; ++i) recipients.push_back("user" + std::to_string(i) + "@x.example");
  then(cluster, recipients, Events(200, ours));
  run();
  EXPECT_EQ(200U, count(cluster.commands(), "RCPT"));
  EXPECT_LE(cluster.connections(), spec::max_probe_connections);
}

TEST_F(RecipientProbesTest, one_recipient_too_many_is_told_at_once) {
  Cluster cluster({{.greeting = deliver::silence}});
  const std::size_t most = spec::max_probe_connections + spec::max_probe_waiting;
  for (std::size_t i = 0; i <= most; ++i) ask_one(cluster, "user" + std::to_string(i) + "@x.example");
  EXPECT_FALSE(clients_[most - 1]->was_told_at_once);
  ASSERT_TRUE(clients_[most]->was_told_at_once);
  EXPECT_EQ(unknowable, clients_[most]->answer->event);
  run();
}

}  // namespace
}  // namespace postern::server
