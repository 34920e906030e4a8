#include "loop/workers.hpp"

#include <new>
#include <utility>

namespace postern::loop {

void give_back(std::span<std::unique_ptr<Job>> jobs) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i] == nullptr) continue;
    Loop& loop = jobs[i]->loop();
    PostedQueue own;
    for (std::unique_ptr<Job>& job : jobs.subspan(i))
      if (job != nullptr && &job->loop() == &loop) own.push(std::move(job));
    loop.post(own);
  }
}

void run_and_give_back(std::unique_ptr<Job> job) {
  try {
    job->run();
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): the job has the outcome for that
  }
  give_back({&job, 1});
}

Workers::Workers(unsigned threads, Work done_with_each) : work_(std::move(done_with_each)) {
  threads_.reserve(threads);
  try {
    for (unsigned i = 0; i < threads; ++i)
      if (auto started = base::Thread::start([this] { work(); })) threads_.push_back(std::move(*started));
  } catch (...) {
    end();  // or else the destructor would wait for those that have started
    throw;
  }
}

Workers::~Workers() { end(); }

void Workers::end() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  has_work_.notify_all();
}

void Workers::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push(std::move(job));
  }
  has_work_.notify_one();
}

void Workers::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    has_work_.wait(lock, [this] { return is_ending_ || !waiting_.is_empty(); });
    if (waiting_.is_empty()) return;
    std::unique_ptr<Job> job(static_cast<Job*>(waiting_.pop().release()));
    lock.unlock();
    work_(std::move(job));
  }
}

}  // namespace postern::loop
