// Whether the policy services of an environment are there: each is connected to, and asked nothing, because a question counts.
// in      POSTERN_POLICY_SERVICE of the variables; what is malformed the start has reported
// out     a warning for each service that takes no connection
// waits   at most spec::max_policy_connect_seconds for each
// errors  none
// source  Postfix SMTPD_POLICY_README
#pragma once

#include <vector>

#include "audit/advice.hpp"
#include "cli/source.hpp"

namespace postern::cli {

void advise_on_policy_services(const Variables& variables, std::vector<audit::Advice>& advice);

}  // namespace postern::cli
