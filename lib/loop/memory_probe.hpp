// Whether the process may have more memory: asked before a client is let in, TLS is begun or a message is taken, so that
// what has begun can end.
// in      the present
// out     false: nothing new, until it is true again
// why     an allocation that fails ends the process, and everybody's session with it
// cost    the kernel is asked for the room, which is then given back: two microseconds, at most once in a moment
// errors  none
// source  getrlimit(2): RLIMIT_AS; softlimit(8)
#pragma once

#include <chrono>
#include <cstddef>

#include "loop/timer_wheel.hpp"

namespace postern::loop {

class MemoryProbe {
 public:
  static constexpr std::size_t octets = std::size_t{16} << 20U;
  static constexpr base::Interval moment = std::chrono::milliseconds(10);

  [[nodiscard]] bool is_there(base::Time now);

 private:
  base::Time looked_{};
  bool is_there_ = true;
};

}  // namespace postern::loop
