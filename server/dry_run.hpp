// The start of `postern serve`, tried in a child that then ends: what it would refuse, and why, without serving anybody. The
// child becomes the user, enters the sandbox and judges all again from there.
// in      what a start is given
// out     the notices of the start (server/server.hpp)
// errors  a child that dies is a notice, too; a sentence when there is no child
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "server/server.hpp"

namespace postern::server {

[[nodiscard]] std::expected<std::vector<Notice>, std::string> dry_run_apart(const ServerStart& start,
                                                                            Services services);

}  // namespace postern::server
