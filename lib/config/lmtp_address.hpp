// Where a mail cluster listens for LMTP, as an operator writes it.
// in      an address of service_address.hpp, and not port 25
// out     as there
// errors  as there
// source  RFC 2033 1
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"

namespace postern::config {

[[nodiscard]] std::expected<base::SocketAddress, std::string> parse_lmtp_address(std::string_view text);

}  // namespace postern::config
