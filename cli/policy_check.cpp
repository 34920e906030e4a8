#include "cli/policy_check.hpp"

#include <algorithm>
#include <string>

#include "base/blocking_client.hpp"
#include "config/policy_services.hpp"
#include "spec/limits.hpp"

namespace postern::cli {

void advise_on_policy_services(const Variables& variables, std::vector<audit::Advice>& advice) {
  const auto services = config::parse_policy_services(variables.value_of("POSTERN_POLICY_SERVICE"));
  if (!services) return;
  const bool takes_unjudged = variables.value_of("POSTERN_POLICY_FAILURE") == "accept";
  for (const base::SocketAddress& service : *services) {
    const auto socket = base::connect_stream(service, spec::max_policy_connect_seconds);
    if (socket) continue;
    advice.push_back({audit::Grade::warning, "policy_service",
                      "policy service " + service.text + " does not answer" + base::error_in_words(socket.error()) +
                          ": until it does, each recipient of ours " +
                          (takes_unjudged ? "is taken unjudged" : "gets 451") + "; start it, or correct its address",
                      "Postfix SMTPD_POLICY_README"});
  }
  std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
}

}  // namespace postern::cli
