// The policy services that are asked about recipients, as an operator writes them.
// in      addresses of service_address.hpp, separated by blanks: `unix:/run/postgrey/socket tcp:127.0.0.1:10031`
// out     the addresses, in the order in which they are asked
// errors  a sentence that says which one is wrong and what to write; more than spec::max_policy_services, or one twice
// source  Postfix SMTPD_POLICY_README: check_policy_service
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"

namespace postern::config {

[[nodiscard]] std::expected<std::vector<base::SocketAddress>, std::string> parse_policy_services(std::string_view text);

}  // namespace postern::config
