// A thread that may be refused: std::thread ends the process where the kernel has none to give.
// in      what it does
// out     Thread, joined when it dies
// lives   what it uses outlives it
// errors  start() gives errno: EAGAIN at the limit of threads (ulimit -u, TasksMax=)
// source  pthread_create(3)
#pragma once

#include <pthread.h>

#include <expected>
#include <functional>
#include <optional>

namespace postern::base {

class Thread {
 public:
  using Work = std::move_only_function<void()>;

  Thread() = default;
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  [[nodiscard]] static std::expected<Thread, int> start(Work work);
  [[nodiscard]] bool is_running() const { return running_.has_value(); }
  void join();

 private:
  std::optional<pthread_t> running_;
};

}  // namespace postern::base
