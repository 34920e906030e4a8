// What a server that runs is supposed to be, by the file of `postern serve`.
// in      the file; one of its listeners, as the file has it, or empty; where the server listens
// out     HOST:PORT of a listener, for clients of this machine; the settings and facts of the class by which a client of this machine
//         is served there. The process has become the user who serves, where it may: for ever (ask_client.hpp)
// errors  UsageError: the start would be refused, with its sentences; there is no such listener; systemd knows where it listens; its
//         clients have to say PROXY first; a client of this machine is turned away there
// source  docs/operating.md: Judging a server
#pragma once

#include <string>

#include "audit/configuration.hpp"
#include "base/socket_address.hpp"

namespace postern::cli {

// listener   empty: the first one
[[nodiscard]] std::string listener_of_file(const std::string& file, const std::string& listener);

// listener   empty: the one at the port of `server`
[[nodiscard]] audit::Configuration supposed_by_file(const std::string& file, const std::string& listener,
                                                    const base::SocketAddress& server);

}  // namespace postern::cli
