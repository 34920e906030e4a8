// Which process listens on a TCP port of this machine, for sentences.
// in      an address and port; sockets that are our own
// out     `process 4711 (postern)`, or nothing: it is another user's, or /proc is not there
// errors  none
// cost    reads /proc/net/tcp and the descriptors of all processes: for a refused start, and for sockets of systemd
// source  proc(5): /proc/net/tcp, /proc/PID/fd
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>

#include "base/network.hpp"

namespace postern::base {

struct PortHolder {
  pid_t process = 0;
  std::string name;  // as it calls itself
};

// `process 4711 (postern)`
[[nodiscard]] std::string describe(const PortHolder& holder);

// The process that listens in the way of `at`: there, on all addresses, or, when `at` is all addresses, on any. `own` do not count.
[[nodiscard]] std::optional<PortHolder> holder_of(const Endpoint& at, std::span<const int> own = {});

// Another process of this very program that has the socket as well: both would take clients from it.
[[nodiscard]] std::optional<PortHolder> sharer_of(int socket);

}  // namespace postern::base
