#include "listener/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace postern::listener {
namespace {

constexpr std::size_t most_events = 256;  // of one look: the others come with the next
constexpr std::chrono::milliseconds longest_sleep{1000};

Time read_clock() { return std::chrono::steady_clock::now(); }

}  // namespace

Loop::Loop(daemon::Descriptor epoll, daemon::Descriptor wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), now_(read_clock()), timers_(now_) {}

std::expected<std::unique_ptr<Loop>, std::string> Loop::make() {
  daemon::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  daemon::Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
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

void Loop::dispose(std::unique_ptr<Watcher> watcher) { disposed_.push_back(std::move(watcher)); }

void Loop::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.number(), &one, sizeof one));  // full: it is awake already
}

void Loop::post(Call call) {
  bool was_empty = false;
  {
    const std::lock_guard lock(posted_mutex_);
    was_empty = posted_.empty();
    posted_.push_back(std::move(call));
  }
  if (was_empty) wake();
}

void Loop::stop() {
  is_stopped_ = true;
  wake();
}

void Loop::run() {
  while (!is_stopped_) turn();
}

void Loop::turn() {
  std::array<epoll_event, most_events> events;
  const auto sleep = again_.empty() ? timers_.until_next(now_, longest_sleep) : std::chrono::milliseconds(0);
  const int ready = ::epoll_wait(epoll_.number(), events.data(), events.size(), static_cast<int>(sleep.count()));
  now_ = read_clock();
  const Time began = now_;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr)
      run_posted();
    else
      static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
  }
  run_again();
  timers_.advance(now_);
  if (end_of_turn_) end_of_turn_();
  disposed_.clear();
  now_ = read_clock();
  lag_ = now_ - began;
}

void Loop::run_posted() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_.number(), &count, sizeof count));
  std::vector<Call> calls;
  {
    const std::lock_guard lock(posted_mutex_);
    calls.swap(posted_);
  }
  for (Call& call : calls) call();
}

void Loop::run_again() {
  std::vector<Watcher*> turns;
  turns.swap(again_);
  for (Watcher* watcher : turns) watcher->on_ready(0);
}

}  // namespace postern::listener
