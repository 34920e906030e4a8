// Starts another program with some of our descriptors, and waits for it with a bound.
// in      a path (no search in PATH), its argv and environment, and which descriptor goes where
// out     the pid; later how it ended. The child has 0, 1, 2 and the redirected descriptors, and no others; no signal
//         is blocked in it, and SIGPIPE, SIGXFSZ and SIGCHLD do what they do by default
// errors  errno as a value when the program cannot be started, also when it cannot be executed: then there is no child
// cost    clone as by vfork (posix_spawn): nothing of our memory is copied
// source  qmail-queue(8), checkpassword interface: what a child finds on its descriptors
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <utility>

#include "base/environment.hpp"

namespace postern::base {

// Owns one descriptor, and closes it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read_end, write_end;  // both close-on-exec
};
[[nodiscard]] std::expected<Pipe, int> make_pipe();

// A point of the monotonic clock.
using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] Deadline after_seconds(unsigned seconds);
// When the first of so many equal shares of the time until `end` is over: who asks several, one after the other, leaves each some.
[[nodiscard]] Deadline end_of_share(Deadline now, Deadline end, std::size_t shares);
[[nodiscard]] int milliseconds_until(Deadline deadline);  // as poll(2) wants it, never negative

// Our descriptor `from` becomes the child's `to`. Any order, any overlap; at most max_redirects of them.
struct Redirect {
  int from, to;
};
inline constexpr std::size_t max_redirects = 8;
// ours   the child belongs to our process group
// own    it leads one of its own: what is killed at a deadline is the child with all that it has started
enum class Group : std::uint8_t { ours, own };
[[nodiscard]] std::expected<pid_t, int> spawn(const char* path, char* const argv[], std::span<const Redirect> redirects,
                                              const Environment& environment, Group group = Group::ours);

struct WaitResult {
  enum class Kind : std::uint8_t {
    exited,   // value is the exit code
    killed,   // value is the signal
    overdue,  // the deadline passed: killed by us
    lost,     // other code took its exit code
  } kind;
  int value;
};

// Returns only when the child is gone: at the deadline it is killed, with its group where it leads one.
[[nodiscard]] WaitResult wait_for(pid_t child, Deadline deadline);

// A descriptor that is readable once the child has ended; closed when the kernel has none to give.
[[nodiscard]] Descriptor watch(pid_t child);

}  // namespace postern::base
