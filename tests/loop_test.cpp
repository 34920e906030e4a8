#include "loop/loop.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

namespace postern::loop {
namespace {

using namespace std::chrono_literals;

class Looping : public ::testing::Test {
 protected:
  void SetUp() override { loop_ = Loop::make().value(); }
  // Runs until it is stopped, and not for ever.
  void run() {
    std::jthread guard([this](const std::stop_token& token) {
      for (int i = 0; i < 1000 && !token.stop_requested(); ++i) std::this_thread::sleep_for(10ms);
      if (token.stop_requested()) return;
      ADD_FAILURE() << "the loop was not stopped in time";
      loop_->stop();
    });
    loop_->run();
  }
  std::unique_ptr<Loop> loop_;
};

class Ear final : public Watcher {
 public:
  explicit Ear(std::function<void(std::uint32_t)> then) : then_(std::move(then)) {}
  ~Ear() override {
    if (on_death) on_death();
  }
  void on_ready(std::uint32_t events) override { then_(events); }
  std::function<void()> on_death;

 private:
  std::function<void(std::uint32_t)> then_;
};

class Alarm final : public Timer {
 public:
  explicit Alarm(std::function<void()> then) : then_(std::move(then)) {}

 protected:
  void on_time() override { then_(); }

 private:
  std::function<void()> then_;
};

TEST_F(Looping, posted_calls_of_a_thread_come_in_their_order_and_none_is_lost) {
  constexpr int threads = 4, each = 5000;
  std::array<int, threads> next{};
  int came = 0;
  std::vector<std::jthread> posting;
  for (int who = 0; who < threads; ++who)
    posting.emplace_back([&, who] {
      for (int i = 0; i < each; ++i)
        loop_->post([&, who, i] {
          EXPECT_EQ(i, next[static_cast<std::size_t>(who)]++);
          if (++came == threads * each) loop_->stop();
        });
    });
  run();
  EXPECT_EQ(threads * each, came);
}

TEST_F(Looping, a_call_posted_by_a_call_comes_too) {
  bool came = false;
  loop_->post([&] {
    loop_->post([&] {
      came = true;
      loop_->stop();
    });
  });
  run();
  EXPECT_TRUE(came);
}

TEST_F(Looping, a_watcher_hears_of_what_it_watches_until_it_is_forgotten) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(0, ::pipe(pipe.data()));
  int heard = 0;
  Ear ear([&](std::uint32_t events) {
    EXPECT_NE(0U, events & EPOLLIN);
    char octet = 0;
    EXPECT_EQ(1, ::read(pipe[0], &octet, 1));
    ++heard;
    loop_->forget(pipe[0]);
    EXPECT_EQ(1, ::write(pipe[1], "x", 1));
  });
  ASSERT_EQ(0, loop_->watch(pipe[0], EPOLLIN, ear));
  EXPECT_EQ(EEXIST, loop_->watch(pipe[0], EPOLLIN, ear));
  ASSERT_EQ(1, ::write(pipe[1], "x", 1));
  Alarm end([&] { loop_->stop(); });
  loop_->arm(end, 200ms);
  run();
  EXPECT_EQ(1, heard);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(Looping, who_wants_another_turn_gets_it_after_the_others) {
  std::vector<std::string> order;
  Ear greedy([&](std::uint32_t events) {
    EXPECT_EQ(0U, events);
    order.emplace_back("greedy");
    if (order.size() == 1) loop_->again(greedy);
    if (order.size() > 2) loop_->stop();
  });
  Ear modest([&](std::uint32_t) { order.emplace_back("modest"); });
  loop_->again(greedy);
  loop_->again(modest);
  run();
  EXPECT_EQ((std::vector<std::string>{"greedy", "modest", "greedy"}), order);
}

TEST_F(Looping, who_is_disposed_of_lives_to_the_end_of_the_turn) {
  bool is_dead = false;
  auto dying = std::make_unique<Ear>([](std::uint32_t) {});
  dying->on_death = [&] { is_dead = true; };
  loop_->at_end_of_turn([&] {
    EXPECT_FALSE(is_dead);
    loop_->at_end_of_turn({});
  });
  loop_->post([&] { loop_->dispose(std::move(dying)); });
  Alarm end([&] { loop_->stop(); });
  loop_->arm(end, 100ms);
  run();
  EXPECT_TRUE(is_dead);
}

// Two that are ready in one turn, and each disposes of the other: of the second nothing more is heard, and it dies once.
TEST_F(Looping, who_is_disposed_of_hears_of_no_event_of_the_same_turn) {
  std::array<std::array<int, 2>, 2> pipes{};
  int heard = 0, dead = 0;
  std::array<std::unique_ptr<Ear>, 2> ears;  // one of them dies last
  for (std::size_t i = 0; i < ears.size(); ++i) {
    ASSERT_EQ(0, ::pipe(pipes[i].data()));
    ears[i] = std::make_unique<Ear>([&, i](std::uint32_t) {
      ++heard;
      for (const auto& pipe : pipes) loop_->forget(pipe[0]);
      Ear* const other = ears[1 - i].release();
      loop_->dispose(std::unique_ptr<Watcher>(other));
      loop_->dispose(std::unique_ptr<Watcher>(other));  // as a caller might when it is called again
    });
    ears[i]->on_death = [&] { ++dead; };
    ASSERT_EQ(0, loop_->watch(pipes[i][0], EPOLLIN, *ears[i]));
    ASSERT_EQ(1, ::write(pipes[i][1], "x", 1));
  }
  Alarm end([&] { loop_->stop(); });
  loop_->arm(end, 100ms);
  run();
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(dead, 1);
  for (const auto& pipe : pipes)
    for (const int each : pipe) ::close(each);
}

TEST_F(Looping, a_timer_is_told_by_the_real_clock) {
  const base::Time begun = std::chrono::steady_clock::now();
  Alarm alarm([&] { loop_->stop(); });
  loop_->arm(alarm, 120ms);
  run();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 120ms);
}

}  // namespace
}  // namespace postern::loop
