// What of a new configuration a server that runs cannot take: what the rest does not depend on stays as it is, and what every
// other path or listener depends on refuses the reload.
// in      what serves, and what was read; loops as numbers that were made from 0 already
// out     the names of what differs, as the file has them; why the next start would be refused for it; the first path or port
//         that a sandbox does not reach
// errors  none
// source  docs/operating.md: Reload
#pragma once

#include <string>
#include <vector>

#include "config/configuration.hpp"
#include "server/sandbox/landlock.hpp"

namespace postern::server {

struct WantsRestart {
  std::vector<std::string> kept;     // by keep_what_serves()
  std::vector<std::string> refused;  // home and chroot, where all paths are; where a listener listens
};
[[nodiscard]] WantsRestart wants_restart(const config::Configuration& serving, const config::Configuration& next);
// Sets what is kept as it serves.
void keep_what_serves(const config::Configuration& serving, config::Configuration& next);

// What the next start with that file would say of `user`, `greylist_file` or `metrics` where they differ, in its words; empty:
// nothing, or nobody can tell from here. In a sandbox a user and a port cannot be looked at, nor the user below another root.
[[nodiscard]] std::string problem_of_next_start(const config::Configuration& serving, const config::Configuration& next,
                                                bool is_confined);

// Empty when all of it is within reach.
[[nodiscard]] std::string beyond_reach(const SandboxPaths& entered, const SandboxPaths& wanted);

}  // namespace postern::server
