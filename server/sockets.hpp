// The sockets that clients come to: bound before privileges are dropped, one for each listener and loop.
// in      the listeners of a configuration; sockets that systemd holds
// out     for each loop a row of sockets in the order of the listeners. They share a port by SO_REUSEPORT, so that the
//         kernel spreads clients over the loops; one that systemd holds is in every row
// alone   the first socket of a port listens before it shares: no other process has the port then, and of two starts at once one
//         wins. An address of ours that is within another of ours (0.0.0.0 and 127.0.0.1) is bound after it, and shares
// lives   as long as Sockets
// errors  a sentence with place and remedy, which names the process that has the port, if it may be known
// source  socket(7): SO_REUSEPORT; ipv6(7): IPV6_V6ONLY; sd_listen_fds(3)
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/configuration.hpp"
#include "server/systemd.hpp"

namespace postern::server {

class Sockets {
 public:
  [[nodiscard]] static std::expected<Sockets, std::string> bind(const config::Configuration& settings, unsigned loops,
                                                                std::vector<InheritedSocket> inherited);

  [[nodiscard]] std::vector<int> row(unsigned loop) const;
  // Of one listener: those of all loops.
  [[nodiscard]] const std::vector<base::Descriptor>& of(std::size_t listener) const { return by_listener_[listener]; }
  // Where a listener really is: port 0 has become one that was free.
  [[nodiscard]] base::Endpoint at(std::size_t listener) const;

 private:
  std::vector<std::vector<base::Descriptor>> by_listener_;
};

}  // namespace postern::server
