// Who waits in the backlog of a listening socket when the server ends: told so, where the end of the socket would be a reset.
// in      a socket that listens and does not block, of which nobody accepts any more
// out     each client gets `421 shutting down`, a line of the log and its place in the metrics; where TLS would come first
//         nothing can be said, and the connection ends without a reset
// bounds  max_shutdown_backlog clients of one socket, and `until`
// memory  allocates nothing
// source  RFC 5321 3.8; listen(2); deviation D23
#pragma once

#include <string_view>

#include "loop/timer_wheel.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace postern::server {

struct BacklogTeller {
  observe::Shard& metrics;
  observe::LogVoice voice;
  std::string_view listener;  // its name in the log
  bool begins_in_tls;
};

void tell_backlog(int socket, const BacklogTeller& teller, base::Time until);

}  // namespace postern::server
