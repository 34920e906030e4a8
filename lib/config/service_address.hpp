// Where a service of the operator listens, as an operator writes it: a mail cluster, Dovecot, a policy service.
// in      `unix:/run/dovecot/lmtp`, `tcp:127.0.0.1:24` or `tcp:[::1]:24`; an IP address and never a name: nothing here
//         asks a resolver, so that no answer of one can send mail elsewhere or make a client wait
// out     base::SocketAddress; `text` is what was written
// errors  a sentence that says which part is wrong and what to write instead
// source  unix(7): 107 octets of path
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"

namespace postern::config {

inline constexpr unsigned example_userdb_port = 12345;  // Dovecot's auth service has no port of its own

// example_port   what a sentence tells to write
[[nodiscard]] std::expected<base::SocketAddress, std::string> parse_service_address(std::string_view text,
                                                                                    unsigned example_port);

// Of an address that was parsed. None: a Unix socket.
[[nodiscard]] std::optional<std::uint16_t> tcp_port(std::string_view address);

}  // namespace postern::config
