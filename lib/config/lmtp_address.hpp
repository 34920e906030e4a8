// Where a mail cluster listens for LMTP, as an operator writes it.
// in      `unix:/run/dovecot/lmtp`, `tcp:127.0.0.1:24` or `tcp:[::1]:24`; an IP address and never a name: nothing here
//         asks a resolver, so that no answer of one can send mail elsewhere or make a client wait
// out     base::SocketAddress; `text` is what was written
// errors  a sentence that says which part is wrong and what to write instead
// source  RFC 2033 1 (not on port 25); unix(7): 107 octets of path
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"

namespace postern::config {

[[nodiscard]] std::expected<base::SocketAddress, std::string> parse_lmtp_address(std::string_view text);

}  // namespace postern::config
