// What a server looks after while it serves, on a thread of its own: it reads files, and who waits for signals does not wait
// for a slow one.
// in      the work; ask() for each reload that is asked for
// out     a call of the work every half second, and one at once for a request. Of requests that come while it works the first
//         is kept, as the kernel keeps a signal
// threads the work is called on its own thread; everything else is for one other thread
// lives   until end() has been called and the work that goes on is done: the destructor waits for that
// errors  start() gives errno
// source  docs/decisions/0012-no-file-on-a-loop.md
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "base/thread.hpp"

namespace postern::server {

class Upkeep {
 public:
  // asker   of a reload; 0: the process is not known. None: nobody asks for one
  using Work = std::move_only_function<void(std::optional<pid_t> asker)>;

  Upkeep() = default;
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;
  ~Upkeep() { end(); }

  [[nodiscard]] int start(Work work);
  void ask(pid_t asker);
  // The work is not called any more; a call that goes on goes on.
  void end();
  // False: such a call is still not done.
  [[nodiscard]] bool has_ended_within(std::chrono::milliseconds patience);

 private:
  // A change of a file is taken when two looks find it the same.
  static constexpr std::chrono::milliseconds tick{500};

  void run();

  Work work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<pid_t> asker_;  // under mutex_
  bool is_ending_ = false;      // under mutex_
  bool has_ended_ = true;       // under mutex_
  base::Thread thread_;
};

}  // namespace postern::server
