// Clients in the backlog of a listening socket when the server ends: they get 421, not the reset that a close would send.
// in      a socket that listens and does not block, from which nothing is accepted any more
// out     each client gets the reply of connect.shutting_down, a line of the log and its place in the metrics; where TLS would
//         come first there is no reply, and the connection ends without a reset
// bounds  max_shutdown_backlog clients of one socket, and `until`
// memory  allocates nothing
// source  RFC 5321 3.8; listen(2); deviation D23
#pragma once

#include <string_view>

#include "engine/session.hpp"
#include "loop/timer_wheel.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace postern::server {

struct BacklogTeller {
  observe::Shard& metrics;
  observe::LogVoice voice;
  std::string_view listener;  // its name in the log
  engine::Service service;    // of the listener
};

void tell_backlog(int socket, const BacklogTeller& teller, base::Time until);

}  // namespace postern::server
