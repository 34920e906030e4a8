// Many messages to one mail cluster at once, over one loop.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/lmtp_meeting.hpp"

namespace postern::deliver {
namespace {

std::ptrdiff_t threads_now() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

// Many jobs, of one loop that ends with the last of them.
class Crowd {
 public:
  Crowd(Way& way, std::size_t messages) : way_(way), wanted_(messages) {}

  void submit(const std::string& mail = message, bool is_withdrawn = false) {
    auto job = std::make_unique<CrowdJob>(*this);
    job->message = std::make_unique<Lmtp>(way_.cluster);
    job->message->begin({}, "Received: x\n", "me@client.example");
    job->buffer.append(mail);
    job->envelope = envelope_for({"a@x.example"});
    if (is_withdrawn) job->withdraw();
    way_.loop->submit(std::move(job));
  }
  void run() { loop_->run(); }
  [[nodiscard]] std::ptrdiff_t count(Result result) const {
    return std::ranges::count(outcomes_, result, &Outcome::result);
  }
  [[nodiscard]] const std::vector<Outcome>& outcomes() const { return outcomes_; }

 private:
  class CrowdJob final : public StoreJob {
   public:
    explicit CrowdJob(Crowd& crowd) : StoreJob(*crowd.loop_, Goal::finish), crowd_(crowd) {}
    void done() override {
      crowd_.outcomes_.push_back(std::move(outcome));
      if (crowd_.outcomes_.size() == crowd_.wanted_) loop().stop();
    }

   private:
    Crowd& crowd_;
  };

  Way& way_;
  std::unique_ptr<loop::Loop> loop_ = loop::Loop::make().value();
  std::size_t wanted_;
  std::vector<Outcome> outcomes_;
};

TEST(LmtpLoop, two_hundred_messages_to_a_slow_cluster_end_soon_and_hold_no_threads) {
  Cluster cluster({Manner{.delivery_milliseconds = 1000}});
  Way way(settings_for(cluster.address()), By::loop, 100);
  Crowd crowd(way, 200);
  const std::ptrdiff_t threads_before = threads_now();
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) crowd.submit();
  crowd.run();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(8));
  EXPECT_EQ(200, crowd.count(Result::accepted));
  EXPECT_EQ(200U, cluster.mails().size());
  EXPECT_LE(cluster.connections(), 100U);
  EXPECT_LE(threads_now() - threads_before, 100) << "those of the cluster: one a connection";
}

TEST(LmtpLoop, never_more_connections_than_messages_may_be_in_flight) {
  Cluster cluster({Manner{.delivery_milliseconds = 20}});
  Way way(settings_for(cluster.address()), By::loop, 20);
  Crowd crowd(way, 200);
  for (int i = 0; i < 200; ++i) crowd.submit();
  crowd.run();
  EXPECT_EQ(200, crowd.count(Result::accepted));
  EXPECT_LE(cluster.connections(), 20U) << "each is used again while messages wait";
  EXPECT_TRUE(cluster.has_open(8)) << "idle ones, then";
}

TEST(LmtpLoop, a_cluster_that_hangs_holds_up_only_what_is_in_flight) {
  Cluster cluster({Manner{.delivery = {silence}}, Manner{}});
  Way way(settings_for(cluster.address(), {.connect_seconds = 2, .reply_seconds = 2, .delivery_seconds = 2}), By::loop,
          2);
  Crowd crowd(way, 21);
  for (int i = 0; i < 21; ++i) crowd.submit();
  crowd.run();
  EXPECT_EQ(20, crowd.count(Result::accepted));
  EXPECT_EQ(1, crowd.count(Result::deferred));
  EXPECT_TRUE(crowd.outcomes().back().cause.starts_with("timed out: unix:")) << crowd.outcomes().back().cause;
}

// Deviation D26.
TEST(LmtpLoop, what_was_withdrawn_before_its_turn_is_not_handed_over) {
  Cluster cluster({Manner{}});
  Way way(settings_for(cluster.address()), By::loop, 1);
  Crowd crowd(way, 20);
  for (int i = 0; i < 20; ++i) crowd.submit(message, i % 2 == 0);
  crowd.run();
  EXPECT_EQ(10, crowd.count(Result::client_gone));
  EXPECT_EQ(10U, cluster.mails().size());
}

TEST(LmtpLoop, large_and_small_messages_go_side_by_side) {
  Cluster cluster({Manner{}});
  Way way(settings_for(cluster.address()), By::loop, 8);
  Crowd crowd(way, 24);
  for (int i = 0; i < 24; ++i)
    crowd.submit(i % 3 == 0 ? "Subject: large\n\n" + std::string(2'000'000, 'x') + "\n" : message);
  crowd.run();
  EXPECT_EQ(24, crowd.count(Result::accepted));
  EXPECT_EQ(8, std::ranges::count_if(cluster.mails(), [](const std::string& mail) { return mail.size() > 2'000'000; }));
}

// Lost between the final dot and the replies: it may have been taken, so it is not sent again automatically.
TEST(LmtpLoop, connections_that_die_at_the_dot_defer_each_message_once) {
  Cluster cluster({Manner{.delivery = {""}, .delivery_milliseconds = 50}});
  Way way(settings_for(cluster.address()), By::loop, 8);
  Crowd crowd(way, 40);
  for (int i = 0; i < 40; ++i) crowd.submit();
  crowd.run();
  EXPECT_EQ(40, crowd.count(Result::deferred));
  EXPECT_EQ(40U, cluster.mails().size());
  for (const Outcome& outcome : crowd.outcomes()) EXPECT_TRUE(outcome.cause.ends_with("at delivery")) << outcome.cause;
}

TEST(LmtpLoop, its_end_waits_for_what_is_in_hand) {
  Cluster cluster({Manner{.delivery_milliseconds = 100}});
  auto way = std::make_unique<Way>(settings_for(cluster.address()), By::loop, 2);
  Crowd crowd(*way, 6);
  for (int i = 0; i < 6; ++i) crowd.submit();
  way->loop.reset();
  EXPECT_EQ(6U, cluster.mails().size());
  crowd.run();
  EXPECT_EQ(6, crowd.count(Result::accepted));
}

}  // namespace
}  // namespace postern::deliver
