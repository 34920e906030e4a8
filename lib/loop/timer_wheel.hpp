// Deadlines of many things at once: armed and re-armed in constant time, reported within one tick after they pass.
// in      a Timer, and the moment it is armed for; the present
// out     Timer::on_time(), never early, at most one tick late; once for each arming
// lives   a Timer takes itself out of the wheel when it dies; on_time() may arm or destroy any timer
// cost    arming later than before only notes the new moment: a session that speaks moves nothing in memory
// source  hashed timing wheels (Varghese and Lauck, 1987)
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "base/clock.hpp"

namespace postern::loop {

// A place in a ring of timers.
struct TimerLink {
  TimerLink* before = this;
  TimerLink* after = this;
  void take_out();
  void put_before(TimerLink& place);
};

class Timer : private TimerLink {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() { disarm(); }

  void disarm();

 protected:
  virtual void on_time() = 0;

 private:
  friend class TimerWheel;
  base::Time at_{};    // when it is to be reported
  base::Time slot_{};  // for which moment it stands in the wheel; never after at_
  bool is_armed_ = false;
};

class TimerWheel {
 public:
  static constexpr base::Interval tick = std::chrono::milliseconds(50);

  explicit TimerWheel(base::Time now) : reached_(now) {}

  void arm(Timer& timer, base::Time at);
  // Calls the timers whose moment has passed.
  void advance(base::Time now);
  // How long one may sleep; the bound when nothing is armed.
  [[nodiscard]] std::chrono::milliseconds until_next(base::Time now, std::chrono::milliseconds bound);

 private:
  static constexpr std::size_t slots = 4096;  // 205 s; what is later is looked at once a round

  void put(Timer& timer, base::Time moment);
  void tell(TimerLink& slot, base::Time now);

  std::array<TimerLink, slots> ring_;
  std::size_t hand_ = 0;
  std::size_t free_ = 0;  // so many slots after the hand's are known to hold nothing
  base::Time reached_;
};

}  // namespace postern::loop
