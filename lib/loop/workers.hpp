// Threads for work that waits: password hashing, children, disk, back ends. Loops hand a job in and get it back done.
// in      a Job; run() happens on a worker, done() on the loop that handed it in
// out     done() exactly once for each job, in any order, unless the caller says what else is done with it
// bounds  as many jobs at once as there are threads; the others wait in line. The caller bounds their number: a session
//         has at most one job in hand
// threads submit() is for any thread. The destructor waits until the jobs in hand have run
// memory  submit() and the way back allocate nothing
// errors  a thread that cannot be started: fewer are; none at all: has_threads() is false, and nothing may be submitted
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/thread.hpp"
#include "loop/loop.hpp"

namespace postern::loop {

class Job : public Posted {
 public:
  explicit Job(Loop& loop) : loop_(loop) {}

  // A run that ends by std::bad_alloc has no outcome but the one that the job was made with.
  virtual void run() = 0;

  [[nodiscard]] Loop& loop() const { return loop_; }

 private:
  Loop& loop_;
};

// Gives jobs that have run back to their loops, each of which wakes once for all of its own.
void give_back(std::span<std::unique_ptr<Job>> jobs);
void run_and_give_back(std::unique_ptr<Job> job);

class Workers {
 public:
  // What is done with a job on a thread: it gives the job back, or hands it on to who does. Throws nothing.
  using Work = std::move_only_function<void(std::unique_ptr<Job>) const>;
  explicit Workers(unsigned threads, Work done_with_each = run_and_give_back);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  [[nodiscard]] bool has_threads() const { return !threads_.empty(); }
  void submit(std::unique_ptr<Job> job);

 private:
  void work();
  void end();

  Work work_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  PostedQueue waiting_;     // of Jobs; under mutex_
  bool is_ending_ = false;  // under mutex_
  std::vector<base::Thread> threads_;
};

}  // namespace postern::loop
