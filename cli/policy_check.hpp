// The services that an environment asks: whether each answers (server/silent_services.hpp), and whether a policy service is there where
// its failure is provided for.
// in      the variables, or those of each class of clients above them; what is malformed the start has reported. Of a file of
//         `postern serve` the start itself says what does not answer
// out     a warning for each service that does not answer, at the first class that names it; for a failure of no policy service, and
//         for policy services that are asked about nobody
// waits   as server/silent_services.hpp says
// errors  none
// source  Postfix SMTPD_POLICY_README
#pragma once

#include <vector>

#include "audit/advice.hpp"
#include "cli/class_judgement.hpp"
#include "cli/source.hpp"

namespace postern::cli {

void advise_on_services(const Variables& variables, std::vector<audit::Advice>& advice);
void advise_on_services(const Variables& base, std::vector<ClassJudgement>& classes);

// Of all variables by which clients are served: POSTERN_POLICY_FAILURE is set, and nowhere beside a service.
[[nodiscard]] bool is_failure_of_no_policy_service(const std::vector<Variables>& all);
[[nodiscard]] audit::Advice failure_of_no_policy_service();
// A service is named, and wherever one is, all clients may relay (RELAYCLIENT, REQUIRE_AUTH=1): such a client is not asked
// about, but for its MAIL and DATA.
[[nodiscard]] bool is_policy_service_for_nobody(const std::vector<Variables>& all);
[[nodiscard]] audit::Advice policy_service_for_nobody();
// Of a class: the variables below it, and its own.
[[nodiscard]] Variables with_class(const Variables& base, const ClassJudgement& one);
// Of each class that is not denied; with tcprules the variables below them serve nobody.
[[nodiscard]] std::vector<Variables> served_with(const Variables& base, const std::vector<ClassJudgement>& classes);

}  // namespace postern::cli
