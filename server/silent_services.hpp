// Which of the services that a configuration asks do not answer: policy services, filters, the mail cluster, Dovecot's userdb, resolvers.
// Each once, of all listeners and classes.
// in      what is judged, and the resolvers; the process is already the user who serves, in his sandbox: he may not reach what root may
// out     sentences with their place: what happens to mail until they do. No service is asked about anybody; a resolver is asked for
//         the address of `localhost`, and any answer is one
// waits   at most spec::max_policy_connect_seconds for all of them, and resolver_seconds for resolvers; those that are left then are
//         not tried
// threads one that may wait: no loop
// errors  none
// source  docs/decisions/0019-policy-service.md, 0021-ask-the-mail-cluster.md, 0022-filters.md, 0024-ask-dovecot.md; RFC 6761 6.3
#pragma once

#include <expected>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.hpp"
#include "config/start.hpp"
#include "dns/servers.hpp"
#include "server/policies.hpp"

namespace postern::server {

// What of `servers` nobody answers for is not said here.
[[nodiscard]] std::vector<std::string> silent_services(const Policies& policies,
                                                       const std::expected<dns::Servers, std::string>& servers);

// Of settings of filters that have no effect, a sentence each.
[[nodiscard]] std::vector<std::string> idle_filter_settings(const Policies& policies);

struct SilentService {
  std::string_view kind;  // "policy_service", "mail_cluster"
  std::string sentence;   // begins with the name of the setting and a colon
  std::string_view source;
};

// Of one configuration, start by start.
class ServiceProbe {
 public:
  ServiceProbe();

  // What was tried before is left out.
  [[nodiscard]] std::vector<SilentService> try_services(const config::Start& start);

 private:
  void try_policy_services(const config::Start& start);
  void try_filters(const config::Start& start);
  void try_userdb(const config::Start& start);
  void try_mail_cluster(const config::Start& start);
  // False: it was tried before.
  bool is_new(std::string_view variable, const std::string& address);

  base::Deadline end_;
  std::set<std::string> tried_;
  std::vector<SilentService> found_;
};

// named_by   "dns", "POSTERN_DNS", or the file that names them
// without    what happens without any: "no DNS list counts"
[[nodiscard]] std::vector<SilentService> silent_resolvers(const dns::Servers& servers, std::string_view named_by,
                                                          std::string_view without);

}  // namespace postern::server
