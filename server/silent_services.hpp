// Which policy services of a configuration take no connection, each once, of all listeners and classes.
// in      what is judged; the process is already the user who serves, in his sandbox: he may not reach what root may
// out     sentences with their place: until they do, recipients are deferred, or taken unjudged. Nothing is asked of a service
// waits   at most spec::max_policy_connect_seconds for all of them; those that are left then are not tried
// threads one that may wait: no loop
// errors  none
// source  docs/decisions/0019-policy-service.md
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

}  // namespace postern::server
