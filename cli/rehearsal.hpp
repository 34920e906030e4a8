// The start of `postern serve`, tried in a child that then ends: what it would refuse, and why, without serving anybody.
// in      what a start is given
// out     the notices of the start (listener/server.hpp)
// errors  a child that dies is a notice, too
#pragma once

#include <vector>

#include "listener/server.hpp"

namespace postern::cli {

[[nodiscard]] std::vector<listener::Notice> rehearse_apart(const listener::ServerStart& start);

}  // namespace postern::cli
