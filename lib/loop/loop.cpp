#include "loop/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace postern::loop {
namespace {

constexpr std::size_t most_events = 256;  // of one look: the others come with the next
constexpr std::chrono::milliseconds longest_sleep{1000};

class PostedCall final : public Posted {
 public:
  explicit PostedCall(Loop::Call call) : call_(std::move(call)) {}
  void done() override { call_(); }

 private:
  Loop::Call call_;
};

// Code that has something to lose catches its own exceptions; this lets the loop go on for all others.
template <typename Work>
void shielded(Work work) {
  try {
    work();
  } catch (const std::bad_alloc&) {  // nothing can be reported
  }
}

base::Time read_clock() { return std::chrono::steady_clock::now(); }

}  // namespace

Loop::Loop(base::Descriptor epoll, base::Descriptor wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), now_(read_clock()), timers_(now_) {}

std::expected<std::unique_ptr<Loop>, std::string> Loop::make() {
  base::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  base::Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (!epoll.is_open() || !wake.is_open() || ::epoll_ctl(epoll.number(), EPOLL_CTL_ADD, wake.number(), &event) != 0)
    return std::unexpected(std::string("cannot make an event loop: ") + std::strerror(errno));
  return std::unique_ptr<Loop>(new Loop(std::move(epoll), std::move(wake)));
}

int Loop::watch(int descriptor, std::uint32_t events, Watcher& watcher) {
  epoll_event event{.events = events, .data = {.ptr = &watcher}};
  return ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

void Loop::change(int descriptor, std::uint32_t events, Watcher& watcher) {
  epoll_event event{.events = events, .data = {.ptr = &watcher}};
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event);
}

void Loop::forget(int descriptor) { ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor, nullptr); }

void Loop::dispose(std::unique_ptr<Watcher> watcher) {
  Watcher* const one = watcher.release();
  if (std::exchange(one->is_disposed_, true)) return;  // twice is once
  one->next_ = disposed_;
  disposed_ = one;
}

void Loop::destroy_disposed() {
  while (disposed_ != nullptr) {
    const std::unique_ptr<Watcher> one(std::exchange(disposed_, disposed_->next_));
  }
}

void Loop::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.number(), &one, sizeof one));  // full: it is awake already
}

void Loop::post(PostedQueue& all) {
  if (all.is_empty()) return;
  bool was_empty = false;
  {
    const std::lock_guard lock(posted_mutex_);
    was_empty = posted_.is_empty();
    posted_.append(all);
  }
  if (was_empty) wake();
}

void Loop::post(std::unique_ptr<Posted> one) {
  PostedQueue queue;
  queue.push(std::move(one));
  post(queue);
}

void Loop::post(Call call) { post(std::make_unique<PostedCall>(std::move(call))); }

void Loop::stop() {
  is_stopped_ = true;
  wake();
}

void Loop::run() {
  while (!is_stopped_) turn();
}

void Loop::turn() {
  std::array<epoll_event, most_events> events;
  const auto sleep = first_again_ == nullptr ? timers_.until_next(now_, longest_sleep) : std::chrono::milliseconds(0);
  const int ready = ::epoll_wait(epoll_.number(), events.data(), events.size(), static_cast<int>(sleep.count()));
  now_ = read_clock();
  const base::Time began = now_;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    Watcher* const watcher = static_cast<Watcher*>(event.data.ptr);
    if (watcher == nullptr)
      run_posted();
    else if (!watcher->is_disposed_)  // by an event before this one
      shielded([&] { watcher->on_ready(event.events); });
  }
  run_again();
  timers_.advance(now_);
  if (end_of_turn_) shielded([this] { end_of_turn_(); });
  destroy_disposed();
  now_ = read_clock();
  lag_ = now_ - began;
}

void Loop::run_posted() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_.number(), &count, sizeof count));
  PostedQueue all;
  {
    const std::lock_guard lock(posted_mutex_);
    all.append(posted_);
  }
  while (!all.is_empty()) {
    const std::unique_ptr<Posted> one = all.pop();
    shielded([&] { one->done(); });
  }
}

void Loop::run_again() {
  Watcher* watcher = std::exchange(first_again_, nullptr);
  while (watcher != nullptr) {
    Watcher& one = *std::exchange(watcher, watcher->next_);
    shielded([&] { one.on_ready(0); });
  }
}

}  // namespace postern::loop
