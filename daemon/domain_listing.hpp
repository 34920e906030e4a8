// The DNS lists about the domains that the one client of this process names in a transaction: asked and waited for with the first
// recipient that needs them.
// in      a session in a transaction, of a client that may not relay; what lists say of its address, or null
// out     what all of it comes to, and null where nobody is asked; a sum that reaches the threshold, where the address alone does
//         not, and lists that did not answer are lines of the log, once a transaction
// waits   at most spec::max_dns_seconds
// lives   the verdict until the next call
// errors  without a resolver nobody is asked, and a line of the log says why
// source  docs/decisions/0025-lists-of-domains.md
#pragma once

#include <cstdint>
#include <optional>

#include "ask/client_listing.hpp"
#include "base/environment.hpp"
#include "observe/journal.hpp"

namespace postern::daemon {

class DomainListing {
 public:
  // All outlive it.
  DomainListing(const config::Start& start, const base::Environment& environment, const observe::Journal& journal)
      : start_(start), environment_(environment), journal_(journal) {}

  [[nodiscard]] const ask::DnsVerdict* verdict(const engine::Session& session, const ask::DnsVerdict* of_client);

 private:
  [[nodiscard]] std::optional<ask::DnsVerdict> ask(const engine::Session& session, const ask::DnsVerdict* of_client);

  const config::Start& start_;
  const base::Environment& environment_;
  const observe::Journal& journal_;
  std::optional<std::uint32_t> transaction_;  // that they were asked for
  std::optional<ask::DnsVerdict> sum_;        // none: nobody was asked
};

}  // namespace postern::daemon
