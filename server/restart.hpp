// What of a new configuration a listener that runs cannot take: a reload with any of it is refused as a whole.
// in      what serves, and what was read; loops as numbers that were made from 0 already
// out     the names of what differs, as the file has them; the first path or port that a sandbox does not reach
// errors  none
// source  docs/operating.md: Reload
#pragma once

#include <string>
#include <vector>

#include "config/configuration.hpp"
#include "server/sandbox/landlock.hpp"

namespace postern::server {

[[nodiscard]] std::vector<std::string> wants_restart(const config::Configuration& serving,
                                                     const config::Configuration& next);

// Empty when all of it is within reach.
[[nodiscard]] std::string beyond_reach(const SandboxPaths& entered, const SandboxPaths& wanted);

}  // namespace postern::server
