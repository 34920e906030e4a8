// The explorer: one HTML file in which an auditor turns the switches and sees what follows.
// out     the template with everything precomputed in it: for each of the 512 combinations of settings and facts what
//         `postern explain --json` says, for each of four ports the advice; equal pieces are stored once
// source  audit/explorer.html
#pragma once

#include <string>

#include "audit/policy.hpp"

namespace postern::audit {

[[nodiscard]] std::string explorer_page(const Policy& policy);
// The data alone, as JSON.
[[nodiscard]] std::string explorer_data(const Policy& policy);

}  // namespace postern::audit
