// All of these octets to a descriptor that waits for room, in as many writes as that takes.
// errors  errno as a value, 0 for none; some of the octets may be written then
// source  write(2), writev(2)
#pragma once

#include <span>
#include <string_view>

#include "base/child.hpp"

namespace postern::base {

[[nodiscard]] int write_all(const Descriptor& file, std::string_view octets);
// One after the other, in one call of the system where that takes all; at most max_pieces. Changes `pieces`.
inline constexpr std::size_t max_pieces = 16;
[[nodiscard]] int write_all(const Descriptor& file, std::span<std::string_view> pieces);

}  // namespace postern::base
