// Who besides files is asked about clients and recipients, as the log and `postern check` show it.
// out     a name and a value for each that is in force: `dns_lists=zen.spamhaus.org,list.dnswl.org`, by the names without keys
// source  spec/options.toml: DNSBL, GREYLIST, RCPTCHECK, POSTERN_USERDB, POSTERN_POLICY_SERVICE, POSTERN_UNKNOWN_RECIPIENTS
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/start.hpp"

namespace postern::config {

struct InForce {
  std::string_view name;
  std::string value;
};
[[nodiscard]] std::vector<InForce> asked_in_force(const Start& start);
// Of all listeners: the DNS is asked for the name of each client.
[[nodiscard]] inline InForce client_names_in_force() { return {.name = "client_names", .value = "1"}; }

}  // namespace postern::config
