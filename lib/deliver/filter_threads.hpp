// Threads that ask filters about messages, before what finishes them gets them.
// in      a StoreJob whose message is a FilteredMessage
// out     the job, handed on with what the filters have left of its message; or given back to its loop, where they let it go no
//         further
// bounds  as many messages at once as there are threads; the others wait in line, and may be withdrawn meanwhile
// lives   what jobs are handed on to outlives it; its destructor waits for those in hand and in line
// errors  without a thread has_threads() is false, and nothing may be submitted
// source  docs/decisions/0022-filters.md
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/thread.hpp"
#include "deliver/store_job.hpp"

namespace postern::deliver {

class FilterThreads {
 public:
  using Next = std::move_only_function<void(std::unique_ptr<StoreJob>) const>;

  FilterThreads(unsigned threads, Next next);
  FilterThreads(const FilterThreads&) = delete;
  FilterThreads& operator=(const FilterThreads&) = delete;
  ~FilterThreads() { end(); }

  [[nodiscard]] bool has_threads() const { return !threads_.empty(); }
  void submit(std::unique_ptr<StoreJob> job);

 private:
  void work();
  void end();

  Next next_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  loop::PostedQueue waiting_;  // of StoreJobs; under mutex_
  bool is_ending_ = false;     // under mutex_
  std::vector<base::Thread> threads_;
};

}  // namespace postern::deliver
