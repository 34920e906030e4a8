#include "server/upkeep.hpp"

#include <utility>

namespace postern::server {

int Upkeep::start(Work work) {
  work_ = std::move(work);
  has_ended_ = false;
  auto started = base::Thread::start([this] { run(); });
  if (!started) {
    has_ended_ = true;
    return started.error();
  }
  thread_ = std::move(*started);
  return 0;
}

void Upkeep::ask(pid_t asker) {
  {
    const std::lock_guard lock(mutex_);
    if (!asker_) asker_ = asker;
  }
  changed_.notify_all();
}

void Upkeep::end() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
}

bool Upkeep::has_ended_within(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return has_ended_; });
}

void Upkeep::run() {
  std::unique_lock lock(mutex_);
  while (!is_ending_) {
    changed_.wait_for(lock, tick, [this] { return is_ending_ || asker_; });
    if (is_ending_) break;
    const std::optional<pid_t> asker = std::exchange(asker_, std::nullopt);
    lock.unlock();
    work_(asker);
    lock.lock();
  }
  has_ended_ = true;
  changed_.notify_all();
}

}  // namespace postern::server
