// DNSBL, DNSBL_SENDER, DNSBL_HELO and what goes with them, as a start has them.
// in      the variables, read
// out     the lists, the threshold and the resolvers of the start; warnings, added to those of the start
// errors  sentences of values that refuse the start, as connect_bad_value
// source  spec/options.toml; rblsmtpd(1): where RBLSMTPD is set, even empty, no list is asked
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"
#include "config/settings_env.hpp"
#include "config/start.hpp"

namespace postern::config {

[[nodiscard]] std::vector<std::string> judge_dns_settings(Start& start, const base::Environment& environment,
                                                          const VariableValues& values, std::string_view origin);

}  // namespace postern::config
