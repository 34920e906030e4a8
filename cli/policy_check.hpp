// Policy services and filters of an environment: whether each is there, and whether one is there where its failure is provided for. Each is
// connected to, and asked nothing, because a question counts.
// in      POSTERN_POLICY_SERVICE, POSTERN_FILTERS, POSTERN_POLICY_FAILURE and POSTERN_FILTER_FAILURE of the variables, or of each class of clients above them; what is
//         malformed the start has reported. Of a file of `postern serve` the start itself says what does not answer
//         (server/silent_services.hpp)
// out     a warning for each service that takes no connection, at the first class that names it, for a failure of none, and for
//         services that are asked about nobody
// waits   at most spec::max_policy_connect_seconds for all of them
// errors  none
// source  Postfix SMTPD_POLICY_README
#pragma once

#include <vector>

#include "audit/advice.hpp"
#include "cli/class_judgement.hpp"
#include "cli/source.hpp"

namespace postern::cli {

void advise_on_policy_services(const Variables& variables, std::vector<audit::Advice>& advice);
void advise_on_policy_services(const Variables& base, std::vector<ClassJudgement>& classes);

// Of all variables by which clients are served: POSTERN_POLICY_FAILURE is set, and nowhere beside a service.
[[nodiscard]] bool is_failure_of_no_policy_service(const std::vector<Variables>& all);
[[nodiscard]] audit::Advice failure_of_no_policy_service();
// A service is named, and wherever one is, all clients may relay (RELAYCLIENT, REQUIRE_AUTH=1): such a client is not asked about.
[[nodiscard]] bool is_policy_service_for_nobody(const std::vector<Variables>& all);
[[nodiscard]] audit::Advice policy_service_for_nobody();
// Of a class: the variables below it, and its own.
[[nodiscard]] Variables with_class(const Variables& base, const ClassJudgement& one);
// Of each class that is not denied; with tcprules the variables below them serve nobody.
[[nodiscard]] std::vector<Variables> served_with(const Variables& base, const std::vector<ClassJudgement>& classes);

}  // namespace postern::cli
