#include "base/thread.hpp"

#include <memory>
#include <utility>

namespace postern::base {
namespace {

void* run(void* argument) {
  const std::unique_ptr<Thread::Work> work(static_cast<Thread::Work*>(argument));
  (*work)();
  return nullptr;
}

}  // namespace

Thread::Thread(Thread&& other) noexcept : running_(std::exchange(other.running_, std::nullopt)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this == &other) return *this;
  join();
  running_ = std::exchange(other.running_, std::nullopt);
  return *this;
}

std::expected<Thread, int> Thread::start(Work work) {
  auto handed = std::make_unique<Work>(std::move(work));
  pthread_t number{};
  if (const int error = ::pthread_create(&number, nullptr, run, handed.get()); error != 0)
    return std::unexpected(error);
  [[maybe_unused]] const Work* const running = handed.release();  // run() has it
  Thread started;
  started.running_ = number;
  return started;
}

void Thread::join() {
  if (const auto number = std::exchange(running_, std::nullopt)) ::pthread_join(*number, nullptr);
}

}  // namespace postern::base
