// What is asked of a service over the pool is answered, over as few connections as that takes; real sockets on loopback.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/outbound_asking.hpp"

namespace postern::loop {
namespace {

using Kind = base::StreamFailure::Kind;

TEST_F(Outbound, a_question_is_answered) {
  Service service(echo);
  make({service.address()});
  const Question& question = ask("hello");
  run_to_the_end();
  EXPECT_EQ("re hello\n", question.answer);
  EXPECT_FALSE(question.failure);
}

TEST_F(Outbound, connections_are_used_again) {
  Service service(echo);
  make({service.address()});
  ask_in_turn({"a", "b", "c", "d"});
  run();
  for (const Question& question : questions_) EXPECT_FALSE(question.answer.empty());
  EXPECT_EQ(1U, service.connections());
  EXPECT_EQ(1U, pool_->idle());
}

TEST_F(Outbound, a_question_asked_at_the_end_of_another_goes_over_its_connection) {
  Service service(echo);
  make({service.address()});
  ask_at_once({"a", "b", "c", "d"});
  run();
  for (const Question& question : questions_) EXPECT_FALSE(question.answer.empty());
  EXPECT_EQ(1U, service.connections());
}

TEST_F(Outbound, never_more_at_once_than_allowed_and_all_are_served) {
  Service service([](Peer& peer, std::size_t) {
    while (const auto line = peer.hear()) {
      std::this_thread::sleep_for(10ms);
      peer.say("re " + *line + "\n");
    }
  });
  settings_.max_in_flight = 4;
  settings_.max_waiting = 96;
  settings_.max_idle = 2;
  make({service.address()});
  for (int i = 0; i < 100; ++i) ask(std::to_string(i));
  run();
  EXPECT_EQ(100, ended_);
  int i = 0;
  for (const Question& question : questions_) EXPECT_EQ("re " + std::to_string(i++) + "\n", question.answer);
  EXPECT_EQ(4, service.most_at_once());
  EXPECT_EQ(4U, service.connections());
  EXPECT_LE(pool_->idle(), 2U);
}

TEST_F(Outbound, what_has_no_place_in_line_fails_at_once) {
  Service service([](Peer& peer, std::size_t) { peer.be_silent(); });
  settings_.max_in_flight = 2;
  settings_.max_waiting = 3;
  make({service.address()});
  for (int i = 0; i < 8; ++i) ask("x", 500ms, 1500ms);
  run_to_the_end();
  int crowded = 0;
  for (const Question& question : questions_) crowded += question.failure && question.failure->kind == Kind::crowded;
  EXPECT_EQ(3, crowded);
}

// One that goes on, and one in line: neither is called, and the next one has a connection of its own.
TEST_F(Outbound, who_leaves_makes_room_for_the_next) {
  Service service([](Peer& peer, std::size_t) {
    while (const auto line = peer.hear()) line == "silent" ? peer.be_silent() : void(peer.say("re " + *line + "\n"));
  });
  settings_.max_in_flight = 1;
  settings_.max_waiting = 8;
  make({service.address()});
  ends_with_all_ = false;
  Question &silent = ask("silent"), &in_line = ask("in line");
  const Question& last = questions_.emplace_back("last", 5s, [this] { loop_->stop(); });
  Next leaving([&] {
    EXPECT_EQ(1, silent.begun);
    silent.leave();
    in_line.leave();
    EXPECT_FALSE(pool_->submit(questions_.back(), 8s));
  });
  loop_->post([&] { leaving.in(*loop_, 100ms); });
  run(3s);
  EXPECT_EQ("re last\n", last.answer);
  EXPECT_EQ(0, silent.ends + in_line.ends + in_line.begun);
  EXPECT_EQ(2U, service.connections());
}

// The next one was in line already.
TEST_F(Outbound, who_is_in_line_has_the_place_of_who_leaves) {
  Service service([](Peer& peer, std::size_t) {
    while (const auto line = peer.hear()) line == "silent" ? peer.be_silent() : void(peer.say("re " + *line + "\n"));
  });
  settings_.max_in_flight = 1;
  settings_.max_waiting = 8;
  make({service.address()});
  ends_with_all_ = false;
  Question& silent = ask("silent");
  const Question& last = questions_.emplace_back("last", 5s, [this] { loop_->stop(); });
  loop_->post([&] { EXPECT_FALSE(pool_->submit(questions_.back(), 8s)); });
  Next leaving([&] { silent.leave(); });
  loop_->post([&] { leaving.in(*loop_, 100ms); });
  run(3s);
  EXPECT_EQ("re last\n", last.answer);
}

TEST_F(Outbound, a_service_that_is_slow_has_its_time_and_no_more) {
  Service service([](Peer& peer, std::size_t) {
    static_cast<void>(peer.hear());
    for (int i = 0; i < 100 && peer.say("x"); ++i) std::this_thread::sleep_for(20ms);
    peer.be_silent();
  });
  make({service.address()});
  const Question& question = ask("x", 300ms);
  const auto begun = std::chrono::steady_clock::now();
  run_to_the_end();
  ASSERT_TRUE(question.failure);
  EXPECT_EQ("timed out: " + service.address().text, question.told);
  EXPECT_GE(question.ended_at - begun, 300ms);
  EXPECT_LT(question.ended_at - begun, 4s);
}

TEST_F(Outbound, a_request_has_its_time_in_all_also_in_line) {
  Service service([](Peer& peer, std::size_t) { peer.be_silent(); });
  settings_.max_in_flight = 1;
  settings_.max_waiting = 1;
  make({service.address()});
  const auto begun = std::chrono::steady_clock::now();
  ask("x", 5s, 300ms);
  const Question& waiting = ask("x", 5s, 200ms);
  run_to_the_end();
  EXPECT_EQ(0, waiting.begun);
  for (const Question& question : questions_) {
    ASSERT_TRUE(question.failure);
    EXPECT_EQ(Kind::timed_out, question.failure->kind);
    EXPECT_LT(question.ended_at - begun, 4s);
  }
}

}  // namespace
}  // namespace postern::loop
