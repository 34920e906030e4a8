// Who the client is: the variables that tcpserver and sslserver leave in the environment. The only file that knows
// their names.
// in      an environment, read again at each call
// out     Peer; views into the environment, which die when it is changed
// errors  none: what is unset is "unknown", or empty
// source  tcp-environ(5); ucspi-ssl sslserver(1)
#pragma once

#include <string_view>

#include "base/environment.hpp"

namespace postern::config {

struct Peer {
  std::string_view remote_ip;      // "unknown" when not given
  std::string_view remote_host;    // "unknown" when there is no name
  std::string_view remote_info;    // the user name from ident or AUTH; empty without one
  std::string_view local_ip;       // empty when not given
  std::string_view local_host;     // empty when not given, or by `tcpserver -l 0`
  std::string_view remote_port{};  // these two empty when not given
  std::string_view local_port{};
};

[[nodiscard]] Peer read_peer(const base::Environment& environment);

// The other way round, for a program that accepts clients itself. Ports are decimal.
struct PeerNumbers {
  std::string_view remote_ip, remote_port, local_ip, local_port;
};
void write_peer(base::Environment& environment, const PeerNumbers& peer);

}  // namespace postern::config
