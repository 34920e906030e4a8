// How often something has happened lately, in 32 octets.
// in      a window, the same at each call, and times that may go back a little, as those of several threads do
// out     at least what happened in the last window; what is older than that and a twelfth of it is forgotten.
//         So a limit on the count holds for every window, wherever it begins. Counts end at 65,535
// shared  no: under its owner's lock
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/clock.hpp"

namespace postern::base {

class SlidingCount {
 public:
  void add(Time now, std::chrono::milliseconds window);
  [[nodiscard]] unsigned count(Time now, std::chrono::milliseconds window) const;
  // Nothing ever counted is still held, old or not.
  [[nodiscard]] bool is_blank() const;

 private:
  static constexpr unsigned parts = 12;
  static constexpr unsigned slots = parts + 1;  // the part that has begun, and a whole window before it

  [[nodiscard]] static std::uint32_t part_of(Time now, std::chrono::milliseconds window);
  // How many of the slots are past the window when `part` is the newest.
  [[nodiscard]] unsigned outdated(std::uint32_t part) const;

  std::uint32_t newest_part_ = 0;
  std::array<std::uint16_t, slots> counts_{};  // of part p in p % slots
};

}  // namespace postern::base
