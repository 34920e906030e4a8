#include "listener/workers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace postern::listener {

void give_back(std::vector<std::unique_ptr<Job>> jobs) {
  while (!jobs.empty()) {
    Loop& loop = jobs.back()->loop();
    const auto own = std::ranges::partition(jobs, [&](const auto& job) { return &job->loop() != &loop; });
    std::vector<std::unique_ptr<Job>> back(std::move_iterator(own.begin()), std::move_iterator(own.end()));
    jobs.erase(own.begin(), own.end());
    loop.post([back = std::move(back)] {
      for (const auto& job : back) job->done();
    });
  }
}

Workers::Workers(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i)
    if (auto started = Thread::start([this] { work(); })) threads_.push_back(std::move(*started));
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  has_work_.notify_all();
}

void Workers::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
  }
  has_work_.notify_one();
}

void Workers::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    has_work_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job->run();
    std::vector<std::unique_ptr<Job>> done;
    done.push_back(std::move(job));
    give_back(std::move(done));
  }
}

}  // namespace postern::listener
