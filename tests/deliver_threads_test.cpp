// Deviation D22 and docs/decisions: children and connections of a way out are bounded by its threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "deliver/delivery_threads.hpp"
#include "tests/daemon_home.hpp"

namespace postern::deliver {
namespace {

// What a session is for the threads.
class Sent final : public StoreJob {
 public:
  Sent(loop::Loop& loop, Goal goal, std::vector<Outcome>& outcomes, int wanted)
      : StoreJob(loop, goal), outcomes_(outcomes), wanted_(wanted) {}
  void done() override {
    outcomes_.push_back(outcome);
    if (static_cast<int>(outcomes_.size()) == wanted_) loop().stop();
  }

 private:
  std::vector<Outcome>& outcomes_;
  int wanted_;
};

class Handing : public ::testing::Test {
 protected:
  void SetUp() override {
    home_.write("control/me", "mx.example\n");
    variables_ = {"TMPDIR=" + home_.path(), "PATH=/usr/bin:/bin"};
  }
  std::shared_ptr<DeliveryThreads> threads_for(config::HandOverKind kind, const std::string& path, unsigned threads) {
    pointers_.clear();
    for (const std::string& variable : variables_) pointers_.push_back(variable.c_str());
    pointers_.push_back(nullptr);
    environment_ = std::make_unique<base::Environment>(pointers_.data());
    config::Start start;
    start.hand_over = kind;
    start.hand_over_path = path;
    start.host = "mx.example";
    auto made = make_delivery_threads(start, *environment_, threads);
    EXPECT_TRUE(made);
    return made.value_or(nullptr);
  }
  void submit(DeliveryThreads& threads, StoreJob::Goal goal, const std::string& octets, bool is_withdrawn = false) {
    auto job = std::make_unique<Sent>(*loop_, goal, outcomes_, wanted_);
    job->message = threads.open(*environment_);
    EXPECT_EQ("", job->message->begin({}, "Received: test\n", "a@b.example"));
    job->buffer.append(octets);
    using namespace std::string_literals;
    job->envelope = "Fa@b.example\0Tc@d.example\0\0"s;
    if (is_withdrawn) job->withdraw();
    threads.submit(std::move(job));
  }
  tests::Home home_;
  std::unique_ptr<loop::Loop> loop_ = loop::Loop::make().value();
  std::vector<std::string> variables_;
  std::vector<const char*> pointers_;
  std::unique_ptr<base::Environment> environment_;
  std::vector<Outcome> outcomes_;
  int wanted_ = 1;
};

TEST_F(Handing, a_queue_program_gets_the_message_and_the_envelope) {
  home_.write_program("queue", "#!/bin/sh\ncat >message; tr '\\000' '|' <&1 >envelope\n");
  const auto queue = threads_for(config::HandOverKind::queue_program, home_.path() + "/queue", 1);
  submit(*queue, StoreJob::Goal::finish, "Subject: x\n\nbody\n");
  loop_->run();
  EXPECT_EQ(Outcome::Result::accepted, outcomes_.at(0).result) << outcomes_.at(0).cause;
  EXPECT_EQ("Received: test\nSubject: x\n\nbody\n", home_.read("message"));
  EXPECT_EQ("Fa@b.example|Tc@d.example||", home_.read("envelope"));
}

TEST_F(Handing, never_more_queue_programs_at_once_than_threads) {
  wanted_ = 12;
  home_.write_program("queue",
                      "#!/bin/sh\n: >running.$$; ls running.* | wc -l >>counts; cat >/dev/null; cat <&1 >/dev/null\n"
                      "sleep 0.05; rm running.$$\n");
  const auto queue = threads_for(config::HandOverKind::queue_program, home_.path() + "/queue", 3);
  for (int i = 0; i < wanted_; ++i) submit(*queue, StoreJob::Goal::finish, "x\n");
  loop_->run();
  std::istringstream counts(home_.read("counts"));
  int most = 0, runs = 0;
  for (int count = 0; counts >> count; ++runs) most = std::max(most, count);
  EXPECT_EQ(wanted_, runs);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2) << "nothing ran at the same time as anything else";
}

TEST_F(Handing, what_is_abandoned_leaves_nothing_behind) {
  std::filesystem::create_directory("mail");
  const auto maildir = threads_for(config::HandOverKind::maildir, "mail", 1);
  submit(*maildir, StoreJob::Goal::abandon, "half of it");
  loop_->run();
  for (const auto& entry : std::filesystem::recursive_directory_iterator("mail"))
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
}

TEST_F(Handing, many_messages_for_a_maildir_come_to_their_outcomes_each) {
  std::filesystem::create_directory("mail");
  wanted_ = 200;
  const auto maildir = threads_for(config::HandOverKind::maildir, "mail", 1);
  for (int i = 0; i < wanted_; ++i) submit(*maildir, StoreJob::Goal::finish, std::to_string(i) + "\n");
  loop_->run();
  for (const Outcome& outcome : outcomes_) EXPECT_EQ(Outcome::Result::accepted, outcome.result) << outcome.cause;
  int stored = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("mail")) stored += entry.is_regular_file();
  EXPECT_EQ(wanted_, stored);
}

// Deviation D26; RFC 1047.
TEST_F(Handing, what_was_withdrawn_before_its_turn_is_not_stored) {
  std::filesystem::create_directory("mail");
  wanted_ = 21;
  const auto maildir = threads_for(config::HandOverKind::maildir, "mail", 1);
  for (int i = 0; i < 20; ++i) submit(*maildir, StoreJob::Goal::finish, "x\n", i % 2 == 0);
  home_.write_program("queue", "#!/bin/sh\n: >run\n");
  const auto queue = threads_for(config::HandOverKind::queue_program, home_.path() + "/queue", 1);
  submit(*queue, StoreJob::Goal::finish, "x\n", true);
  loop_->run();
  const auto is_gone = [](const Outcome& outcome) { return outcome.result == Outcome::Result::client_gone; };
  EXPECT_EQ(11, std::ranges::count_if(outcomes_, is_gone));
  int stored = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("mail")) stored += entry.is_regular_file();
  EXPECT_EQ(10, stored);
  EXPECT_FALSE(std::filesystem::exists("run"));
}

TEST_F(Handing, a_message_may_be_withdrawn_until_its_turn_has_come) {
  Sent job(*loop_, StoreJob::Goal::finish, outcomes_, wanted_);
  EXPECT_TRUE(job.withdraw());
  EXPECT_TRUE(job.withdraw()) << "again";
  EXPECT_TRUE(job.forget_if_withdrawn());
  Sent begun(*loop_, StoreJob::Goal::finish, outcomes_, wanted_);
  EXPECT_FALSE(begun.forget_if_withdrawn());
  EXPECT_FALSE(begun.withdraw()) << "it is being stored";
}

TEST_F(Handing, what_is_discarded_is_not_even_opened) {
  const auto discard = threads_for(config::HandOverKind::discard, "", 1);
  EXPECT_TRUE(discard->keeps_nothing());
}

TEST_F(Handing, nothing_is_a_way_out_of_no_kind) { EXPECT_EQ(nullptr, threads_for(config::HandOverKind::none, "", 1)); }

}  // namespace
}  // namespace postern::deliver
