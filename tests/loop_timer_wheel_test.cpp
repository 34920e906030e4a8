#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "loop/timer_wheel.hpp"

namespace postern::loop {
namespace {

using namespace std::chrono_literals;

constexpr base::Time start{1000h};

class Alarm final : public Timer {
 public:
  int told = 0;
  std::function<void()> then;

 protected:
  void on_time() override {
    ++told;
    if (then) then();
  }
};

TEST(TimerWheel, tells_within_a_tick_and_only_once) {
  TimerWheel wheel(start);
  Alarm alarm;
  wheel.arm(alarm, start + 120ms);
  wheel.advance(start + 119ms);
  EXPECT_EQ(0, alarm.told);
  wheel.advance(start + 120ms + TimerWheel::tick);
  EXPECT_EQ(1, alarm.told);
  wheel.advance(start + 1h);
  EXPECT_EQ(1, alarm.told);
}

TEST(TimerWheel, a_moment_that_has_passed_is_told_within_a_tick) {
  TimerWheel wheel(start);
  wheel.advance(start + 10s);
  Alarm alarm;
  wheel.arm(alarm, start);
  wheel.advance(start + 10s + TimerWheel::tick);
  EXPECT_EQ(1, alarm.told);
}

TEST(TimerWheel, armed_later_it_is_told_later) {
  TimerWheel wheel(start);
  Alarm alarm;
  wheel.arm(alarm, start + 1s);
  wheel.arm(alarm, start + 2s);
  wheel.advance(start + 1999ms);
  EXPECT_EQ(0, alarm.told);
  wheel.advance(start + 2s + TimerWheel::tick);
  EXPECT_EQ(1, alarm.told);
}

TEST(TimerWheel, armed_earlier_it_is_told_earlier) {
  TimerWheel wheel(start);
  Alarm alarm;
  wheel.arm(alarm, start + 1h);
  wheel.arm(alarm, start + 1s);
  wheel.advance(start + 1s + TimerWheel::tick);
  EXPECT_EQ(1, alarm.told);
  wheel.advance(start + 2h);
  EXPECT_EQ(1, alarm.told);
}

TEST(TimerWheel, disarmed_or_dead_it_is_not_told) {
  TimerWheel wheel(start);
  Alarm disarmed;
  wheel.arm(disarmed, start + 1s);
  disarmed.disarm();
  {
    Alarm dead;
    wheel.arm(dead, start + 1s);
  }
  wheel.advance(start + 1h);
  EXPECT_EQ(0, disarmed.told);
}

TEST(TimerWheel, on_time_may_arm_the_same_timer_again) {
  TimerWheel wheel(start);
  Alarm alarm;
  alarm.then = [&] { wheel.arm(alarm, start + 1s * (alarm.told + 1)); };
  alarm.then();
  for (base::Time now = start; now <= start + 10s + TimerWheel::tick; now += 10ms) wheel.advance(now);
  EXPECT_EQ(10, alarm.told);
}

TEST(TimerWheel, on_time_may_destroy_any_timer) {
  TimerWheel wheel(start);
  std::vector<std::unique_ptr<Alarm>> alarms;
  int told = 0;
  for (int i = 0; i < 3; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    alarms.back()->then = [&] {
      ++told;
      const auto all = std::move(alarms);  // the others of the same slot, and the one whose turn it is
    };
    wheel.arm(*alarms.back(), start + 1s);
  }
  wheel.advance(start + 2s);
  EXPECT_EQ(1, told);
}

TEST(TimerWheel, sleeping_as_long_as_it_says_is_never_too_long) {
  TimerWheel wheel(start);
  Alarm alarm;
  EXPECT_EQ(1000ms, wheel.until_next(start, 1000ms));
  const base::Time at = start + 3333ms;
  wheel.arm(alarm, at);
  base::Time now = start;
  while (alarm.told == 0) {
    const auto sleep = wheel.until_next(now, 1000ms);
    ASSERT_GT(sleep, 0ms) << "spins";
    now += sleep;
    wheel.advance(now);
  }
  EXPECT_GE(now, at);
  EXPECT_LE(now, at + TimerWheel::tick);
}

TEST(TimerWheel, what_was_empty_when_it_was_asked_is_not_so_for_ever) {
  TimerWheel wheel(start);
  Alarm late, early;
  wheel.arm(late, start + 900ms);
  EXPECT_LE(wheel.until_next(start, 1000ms), 950ms);
  wheel.arm(early, start + 300ms);
  EXPECT_LE(wheel.until_next(start, 1000ms), 350ms);
  wheel.advance(start + 350ms);
  EXPECT_EQ(1, early.told);
  EXPECT_GT(wheel.until_next(start + 350ms, 1000ms), 500ms);
  wheel.arm(early, start + 450ms);
  EXPECT_LE(wheel.until_next(start + 350ms, 1000ms), 150ms);
}

// The law, on many timers that are armed, re-armed and disarmed at random, near and beyond the round of the wheel.
TEST(TimerWheel, never_early_and_at_most_a_tick_late) {
  struct Watched {
    Alarm alarm;
    std::optional<base::Time> due;
  };
  std::mt19937 chance(20240607);
  const auto up_to = [&](int bound) { return std::uniform_int_distribution<>(0, bound)(chance); };
  TimerWheel wheel(start);
  std::vector<std::unique_ptr<Watched>> all;
  base::Time now = start;
  for (int i = 0; i < 200; ++i) {
    auto& one = *all.emplace_back(std::make_unique<Watched>());
    one.alarm.then = [&one, &now] {
      ASSERT_TRUE(one.due.has_value());
      EXPECT_GE(now, *one.due) << "early";
      one.due.reset();
    };
  }
  for (int turn = 0; turn < 20000; ++turn) {
    Watched& one = *all[static_cast<std::size_t>(up_to(199))];
    if (up_to(9) == 0) {
      one.alarm.disarm();
      one.due.reset();
    } else {
      one.due = now + std::chrono::milliseconds(up_to(9) == 0 ? up_to(600000) : up_to(3000));
      wheel.arm(one.alarm, *one.due);
    }
    now += std::chrono::milliseconds(up_to(30));
    wheel.advance(now);
    for (const auto& each : all) ASSERT_LT(now, each->due.value_or(now) + TimerWheel::tick + 1ms) << "late";
  }
}

}  // namespace
}  // namespace postern::loop
