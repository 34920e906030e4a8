#include "config/lmtp_address.hpp"

#include "config/service_address.hpp"

namespace postern::config {

std::expected<base::SocketAddress, std::string> parse_lmtp_address(std::string_view text) {
  if (tcp_port(text) == 25)  // RFC 2033 1
    return std::unexpected(
        "port 25 is for SMTP and never for LMTP: let the mail cluster listen on another, such as 24");
  return parse_service_address(text, 24);
}

}  // namespace postern::config
