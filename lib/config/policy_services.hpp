// The policy services that are asked, as an operator writes them.
// in      addresses of service_address.hpp, separated by blanks, each with the stage at which it is asked before it, or none for RCPT:
//         `mail:unix:/run/senders/socket unix:/run/postgrey/socket data:tcp:127.0.0.1:10031`
// out     the services of each stage together, in the order of the stages; within one in the order in which they are written
// errors  a sentence that says which one is wrong and what to write; more than spec::max_policy_services, or one twice at one stage
// source  Postfix SMTPD_POLICY_README: check_policy_service; postconf(5): smtpd_client_restrictions, smtpd_helo_restrictions,
//         smtpd_sender_restrictions, smtpd_recipient_restrictions, smtpd_data_restrictions; docs/decisions/0027-policy-at-each-stage.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"

namespace postern::config {

enum class PolicyStage : std::uint8_t { connect, helo, mail, rcpt, data };
inline constexpr std::size_t policy_stages = 5;

struct PolicyService {
  PolicyStage stage = PolicyStage::rcpt;
  base::SocketAddress address;
  std::string text;  // as it is written, with its stage
};

[[nodiscard]] std::expected<std::vector<PolicyService>, std::string> parse_policy_services(std::string_view text);

}  // namespace postern::config
