// All of these octets to a descriptor that waits for room, in as many writes as that takes.
// errors  errno as a value, 0 for none; some of the octets may be written then
// source  write(2)
#pragma once

#include <string_view>

#include "base/child.hpp"

namespace postern::base {

[[nodiscard]] int write_all(const Descriptor& file, std::string_view octets);

}  // namespace postern::base
