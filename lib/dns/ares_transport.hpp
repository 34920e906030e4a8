// The door to c-ares: the one file that knows it. It sends again, asks the next server, changes to TCP when an answer is
// truncated, and drops what is no answer to the query: another identifier, question or sender. The server that answered last is
// asked first.
// in      servers; the time in which the last attempt shall end; how often each server is asked
// out     a Transport
// ours    sockets (close-on-exec from the start, no SIGPIPE), queries with their identifiers, and
//         every octet of an answer but its identifier and question: lib/dns/message.hpp reads it
// never   reads a file but /dev/urandom, or a variable of the environment; no search domains
// clock   c-ares reads CLOCK_MONOTONIC for its attempts
// errors  a sentence
// source  c-ares 1.18 of Debian 12: ares_init_options(3), ares_send(3), ares_set_socket_functions(3)
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "dns/servers.hpp"
#include "dns/transport.hpp"

namespace postern::dns {

[[nodiscard]] std::expected<std::unique_ptr<Transport>, std::string> make_ares_transport(const Servers& servers,
                                                                                         base::Interval patience,
                                                                                         unsigned tries);

}  // namespace postern::dns
