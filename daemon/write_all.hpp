// All of these octets to a descriptor that waits for room, in as many writes as that takes.
// errors  errno as a value, 0 for none; some of the octets may be written then
// source  write(2)
#pragma once

#include <string_view>

#include "daemon/child.hpp"

namespace postern::daemon {

[[nodiscard]] int write_all(const Descriptor& file, std::string_view octets);

}  // namespace postern::daemon
