// `postern serve`: starts everything in its order, watches over it, and ends it.
// in      a configuration; how to read it again; the variables of the process
// out     the exit code: 0 after SIGTERM or SIGINT, 100 when the configuration or the machine does not allow a start: then
//         sentences on the log, and nothing was bound that a client could have met
// order   dry_run in a child, then change root, judge, bind, drop privileges, shut in, judge again, then threads: nothing of
//         a client is ever touched with privileges, and nothing is found fit that only root could read
// reload  SIGHUP, or a file that changed: everything is made again next to what serves, and takes its place as a whole; what
//         is wrong is logged, and what serves goes on. Sessions end as they began
// asks    services that do not answer are warnings, once it serves: a start waits for none of them
// end     a client at rest gets `421 shutting down`; what is in hand has shutdown_seconds
// threads the caller's, which only waits for signals; one a loop; workers; one for the log; one for metrics
// source  systemd.service(5): Type=notify-reload; deviation D23
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "config/configuration.hpp"
#include "server/shadow/shadow_policy.hpp"

namespace postern::server {

struct ServerStart {
  config::Configuration settings;
  // Reads the configuration again; a sentence when it cannot be. Null: there is nothing to read.
  std::function<std::expected<config::Configuration, std::string>()> read_again;
  const char* const* environment;  // of the process
  std::string_view version;
  ReadConfiguration read_shadow{};  // of the file that the settings name as their shadow
};

[[nodiscard]] int serve(const ServerStart& start);

// A line that the log would have: event `config` for what refuses the start, `warning`, `sandbox`.
struct Notice {
  std::string event, sentence;
};
// asked   services that do not answer are warnings, for which the run waits (server/silent_services.hpp)
enum class Services : std::uint8_t { asked, unasked };
// The start without its sockets: what of it does not depend on what else runs here. The process changes as it would at a
// start, for ever: call it in a child.
[[nodiscard]] std::vector<Notice> dry_run(const ServerStart& start, Services services);

}  // namespace postern::server
