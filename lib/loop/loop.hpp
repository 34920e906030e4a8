// One thread's event loop: descriptors that became ready, deadlines that passed, work that other threads hand in.
// in      watchers of descriptors (edge-triggered), timers, posted calls
// out     on_ready() with epoll's bits; on_time(); posted calls in the order in which they came
// lives   a watcher that dies must have been forgotten; it is destroyed by dispose(), after the turn in which events may
//         still name it
// threads all calls on the loop's own thread, but post() and stop(), which are anybody's
// memory  turns, disposals and what other threads hand in are lists through the objects themselves: none of it allocates,
//         except post(Call). What a watcher, a timer or a call throws ends nothing: each catches it itself (connection.hpp),
//         and what is not caught is dropped by the loop
// errors  make() gives a sentence with errno; watch() gives errno
// source  epoll(7), eventfd(2); docs/decisions/0006-event-loop.md
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/child.hpp"
#include "loop/timer_wheel.hpp"

namespace postern::loop {

class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void on_ready(std::uint32_t events) = 0;

 private:
  friend class Loop;
  Watcher* next_ = nullptr;  // of those that want a turn, or are disposed of: never both
  bool is_disposed_ = false;
};

// What another thread hands in: done() on the loop's thread, then it is destroyed.
class Posted {
 public:
  Posted() = default;
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;
  virtual ~Posted() = default;
  virtual void done() = 0;

 private:
  friend class PostedQueue;
  Posted* next_ = nullptr;
};

// First in, first out; owns what is in it, and allocates nothing.
class PostedQueue {
 public:
  PostedQueue() = default;
  PostedQueue(PostedQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  PostedQueue(const PostedQueue&) = delete;
  PostedQueue& operator=(const PostedQueue&) = delete;
  PostedQueue& operator=(PostedQueue&&) = delete;
  ~PostedQueue() {
    while (!is_empty()) pop();
  }

  [[nodiscard]] bool is_empty() const { return first_ == nullptr; }
  void push(std::unique_ptr<Posted> one) {
    Posted* const added = one.release();
    added->next_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_) = added;
    last_ = added;
  }
  // Of a queue that is not empty.
  std::unique_ptr<Posted> pop() {
    std::unique_ptr<Posted> one(std::exchange(first_, first_->next_));
    return one;
  }
  void append(PostedQueue& other) {
    if (other.is_empty()) return;
    (first_ == nullptr ? first_ : last_->next_) = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
  }

 private:
  Posted* first_ = nullptr;
  Posted* last_ = nullptr;
};

class Loop {
 public:
  using Call = std::move_only_function<void()>;

  ~Loop() { destroy_disposed(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] static std::expected<std::unique_ptr<Loop>, std::string> make();

  [[nodiscard]] int watch(int descriptor, std::uint32_t events, Watcher& watcher);  // errno; 0 for none
  void change(int descriptor, std::uint32_t events, Watcher& watcher);
  void forget(int descriptor);

  void arm(Timer& timer, base::Interval from_now) { timers_.arm(timer, now_ + from_now); }
  // A turn for the watcher when the others have had theirs: on_ready(0).
  void again(Watcher& watcher) {
    watcher.next_ = nullptr;
    (first_again_ == nullptr ? first_again_ : last_again_->next_) = &watcher;
    last_again_ = &watcher;
  }
  // It lives until the end of the turn, and gets no more events.
  void dispose(std::unique_ptr<Watcher> watcher);

  void post(std::unique_ptr<Posted> one);
  void post(PostedQueue& all);  // empty then
  void post(Call call);
  // A turn soon, so that at_end_of_turn() comes; from any thread.
  void wake();
  void stop();
  void run();

  [[nodiscard]] base::Time now() const { return now_; }  // of this turn
  // What is done once a turn, before sleeping; for what is gathered in a turn, such as the log.
  void at_end_of_turn(Call call) { end_of_turn_ = std::move(call); }
  // How late the loop came to what was ready or due when it last looked.
  [[nodiscard]] base::Interval lag() const { return lag_; }

 private:
  Loop(base::Descriptor epoll, base::Descriptor wake);
  void turn();
  void run_posted();
  void run_again();
  void destroy_disposed();

  base::Descriptor epoll_, wake_;
  base::Time now_;
  TimerWheel timers_;
  base::Interval lag_{};
  Watcher* first_again_ = nullptr;
  Watcher* last_again_ = nullptr;
  Watcher* disposed_ = nullptr;  // owned
  Call end_of_turn_;
  std::atomic<bool> is_stopped_ = false;
  std::mutex posted_mutex_;
  PostedQueue posted_;  // under posted_mutex_
};

}  // namespace postern::loop
