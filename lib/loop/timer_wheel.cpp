#include "loop/timer_wheel.hpp"

#include <algorithm>

namespace postern::loop {
namespace {

bool is_empty(const TimerLink& slot) { return slot.after == &slot; }

}  // namespace

void TimerLink::take_out() {
  before->after = after;
  after->before = before;
  before = after = this;
}

void TimerLink::put_before(TimerLink& place) {
  before = place.before;
  after = &place;
  before->after = this;
  place.before = this;
}

void Timer::disarm() {
  is_armed_ = false;
  take_out();
}

void TimerWheel::arm(Timer& timer, base::Time at) {
  timer.at_ = at;
  if (timer.is_armed_ && timer.slot_ <= at) return;  // it will be looked at in time, and then put where it belongs
  timer.disarm();
  timer.is_armed_ = true;
  put(timer, at);
}

void TimerWheel::put(Timer& timer, base::Time moment) {
  const base::Interval left = std::max(moment - reached_, base::Interval(0));
  const auto ticks = std::min<std::size_t>(static_cast<std::size_t>(left / tick) + 1, slots - 1);
  free_ = std::min(free_, ticks - 1);
  timer.slot_ = std::min(moment, reached_ + tick * static_cast<int>(ticks));
  timer.put_before(ring_[(hand_ + ticks) % slots]);
}

void TimerWheel::advance(base::Time now) {
  while (reached_ + tick <= now) {
    reached_ += tick;
    hand_ = (hand_ + 1) % slots;
    free_ -= free_ == 0 ? 0 : 1;
    tell(ring_[hand_], now);
  }
}

// The ring is moved out of the slot first: a timer that is armed meanwhile may come into the very same slot.
void TimerWheel::tell(TimerLink& slot, base::Time now) {
  if (is_empty(slot)) return;
  TimerLink due;
  due.put_before(slot);
  slot.take_out();
  while (!is_empty(due)) {
    Timer& timer = *static_cast<Timer*>(due.after);
    timer.take_out();
    if (timer.at_ > now) {
      put(timer, timer.at_);
      continue;
    }
    timer.is_armed_ = false;
    timer.on_time();
  }
}

// A slot that was found empty is not looked at again before a timer comes into one as near.
std::chrono::milliseconds TimerWheel::until_next(base::Time now, std::chrono::milliseconds bound) {
  const std::size_t most = std::min(static_cast<std::size_t>(bound / tick) + 1, slots - 1);
  while (free_ < most && is_empty(ring_[(hand_ + free_ + 1) % slots])) ++free_;
  if (free_ >= most) return bound;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(reached_ + tick * static_cast<int>(free_ + 1) - now);
  return std::clamp(left, std::chrono::milliseconds(0), bound);
}

}  // namespace postern::loop
