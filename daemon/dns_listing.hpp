// The DNS lists about the one client of this process: asked when it connects, waited for when their verdict is needed.
// in      a start that has lists, the client's address
// out     the verdict; DNS lists that refuse the client, and those that did not answer, are lines of the log, once
// waits   at most spec::max_dns_seconds from the beginning; what comes later counts nothing
// errors  without a resolver nobody is asked, and a line of the log says why
// source  ask/client_listing.hpp
#pragma once

#include <deque>
#include <memory>

#include "ask/client_listing.hpp"
#include "base/child.hpp"
#include "dns/blocking_resolver.hpp"
#include "observe/journal.hpp"

namespace postern::daemon {

class DnsListing {
 public:
  // Null: nobody is asked. All outlive it.
  [[nodiscard]] static std::unique_ptr<DnsListing> begin(const config::Start& start, std::string_view client_ip,
                                                         const observe::Journal& journal);

  // Until all have answered, or until then.
  void wait(base::Deadline until);
  [[nodiscard]] const ask::DnsVerdict& verdict();
  [[nodiscard]] const ask::DnsVerdict* known() const { return listing_.verdict(); }  // null: nobody has waited for it

 private:
  DnsListing(const config::Start& start, const base::Address& client, const observe::Journal& journal,
             dns::BlockingResolver resolver);

  const config::Start& start_;
  const observe::Journal& journal_;
  base::Deadline end_;
  dns::BlockingResolver resolver_;
  std::deque<dns::Reply> replies_;  // of each entry; they die before the resolver
  ask::ClientListing listing_;
};

}  // namespace postern::daemon
