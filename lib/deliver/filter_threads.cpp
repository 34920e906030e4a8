#include "deliver/filter_threads.hpp"

#include <utility>

namespace postern::deliver {

FilterThreads::FilterThreads(unsigned threads, Next next) : next_(std::move(next)) {
  threads_.reserve(threads);
  try {
    for (unsigned i = 0; i < threads; ++i)
      if (auto started = base::Thread::start([this] { work(); })) threads_.push_back(std::move(*started));
  } catch (...) {
    end();  // or else the destructor would wait for those that have started
    throw;
  }
}

void FilterThreads::end() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  has_work_.notify_all();
  threads_.clear();  // waits
}

void FilterThreads::submit(std::unique_ptr<StoreJob> job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push(std::move(job));
  }
  has_work_.notify_one();
}

void FilterThreads::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    has_work_.wait(lock, [this] { return is_ending_ || !waiting_.is_empty(); });
    if (waiting_.is_empty()) return;
    std::unique_ptr<StoreJob> job(static_cast<StoreJob*>(waiting_.pop().release()));
    lock.unlock();
    if (job->judge()) {
      next_(std::move(job));
      continue;
    }
    std::unique_ptr<loop::Job> over = std::move(job);
    loop::give_back({&over, 1});
  }
}

}  // namespace postern::deliver
