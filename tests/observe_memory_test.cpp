// What is logged when there is no memory. In a program of its own, because it replaces operator new.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "base/child.hpp"
#include "observe/log_buffer.hpp"

namespace {
// operator new has no other place for it.
std::atomic<bool>& has_no_memory() {
  static std::atomic<bool> has_none = false;
  return has_none;
}
}  // namespace

// Not inline, or the compiler sees malloc() where it wants new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (!has_no_memory())
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::observe {
namespace {

TEST(LoggingWithoutMemory, lines_are_written_one_after_the_other) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(0, ::pipe2(pipe.data(), O_CLOEXEC));
  const base::Descriptor reader(pipe[0]), writer(pipe[1]);
  LogBuffer log(writer.number());
  log.start();
  for (int i = 0; i < 3; ++i) {
    has_no_memory() = true;
    log.write("reload: refused, and nothing has changed: there is no memory for it\n");
    has_no_memory() = false;
    constexpr int patience_milliseconds = 5000;
    pollfd waiting{.fd = reader.number(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(1, ::poll(&waiting, 1, patience_milliseconds));
    std::array<char, 256> room{};
    const ssize_t octets = ::read(reader.number(), room.data(), room.size());
    EXPECT_TRUE(std::string(room.data(), octets > 0 ? static_cast<std::size_t>(octets) : 0).starts_with("reload:"));
  }
}

}  // namespace
}  // namespace postern::observe
