// Which policy services and filters of a configuration take no connection, each once, of all listeners and classes.
// in      what is judged; the process is already the user who serves, in his sandbox: he may not reach what root may
// out     sentences with their place: until they do, recipients and messages are deferred, or taken unjudged. Nothing is asked
// waits   at most spec::max_policy_connect_seconds for all of them; those that are left then are not tried
// threads one that may wait: no loop
// errors  none
// source  docs/decisions/0019-policy-service.md, 0022-filters.md
#pragma once

#include <string>
#include <vector>

#include "base/child.hpp"
#include "base/socket_address.hpp"
#include "server/policies.hpp"

namespace postern::server {

[[nodiscard]] std::vector<std::string> silent_services(const Policies& policies);

// Of one; empty: it takes connections, or there is no time left.
[[nodiscard]] std::string problem_of_policy_service(const base::SocketAddress& service, bool takes_unjudged,
                                                    base::Deadline end);
[[nodiscard]] std::string problem_of_filter(const config::FilterPlace& filter, bool takes_unfiltered,
                                            base::Deadline end);

}  // namespace postern::server
