// One thread's event loop: descriptors that became ready, deadlines that passed, work that other threads hand in.
// in      watchers of descriptors (edge-triggered), timers, posted calls
// out     on_ready() with epoll's bits; on_time(); posted calls in the order in which they came
// lives   a watcher that dies must have been forgotten; it is destroyed by dispose(), after the turn in which events may
//         still name it
// threads all calls on the loop's own thread, but post() and stop(), which are anybody's
// errors  make() tells errno in a sentence; watch() gives errno
// source  epoll(7), eventfd(2); docs/decisions/0006-event-loop.md
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/child.hpp"
#include "listener/timer_wheel.hpp"

namespace postern::listener {

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void on_ready(std::uint32_t events) = 0;
};

class Loop {
 public:
  using Call = std::move_only_function<void()>;

  [[nodiscard]] static std::expected<std::unique_ptr<Loop>, std::string> make();

  [[nodiscard]] int watch(int descriptor, std::uint32_t events, Watcher& watcher);  // errno; 0 for none
  void change(int descriptor, std::uint32_t events, Watcher& watcher);
  void forget(int descriptor);

  void arm(Timer& timer, Interval from_now) { timers_.arm(timer, now_ + from_now); }
  // A turn for the watcher when the others have had theirs: on_ready(0).
  void again(Watcher& watcher) { again_.push_back(&watcher); }
  void dispose(std::unique_ptr<Watcher> watcher);

  void post(Call call);
  void stop();
  void run();

  [[nodiscard]] Time now() const { return now_; }  // of this turn
  // What is done once a turn, before sleeping; for what is gathered in a turn, such as the log.
  void at_end_of_turn(Call call) { end_of_turn_ = std::move(call); }
  // How late the loop came to what was ready or due when it last looked.
  [[nodiscard]] Interval lag() const { return lag_; }

 private:
  Loop(daemon::Descriptor epoll, daemon::Descriptor wake);
  void turn();
  void run_posted();
  void run_again();
  void wake();

  daemon::Descriptor epoll_, wake_;
  Time now_;
  TimerWheel timers_;
  Interval lag_{};
  std::vector<Watcher*> again_;
  std::vector<std::unique_ptr<Watcher>> disposed_;
  Call end_of_turn_;
  std::atomic<bool> is_stopped_ = false;
  std::mutex posted_mutex_;
  std::vector<Call> posted_;  // under posted_mutex_
};

}  // namespace postern::listener
