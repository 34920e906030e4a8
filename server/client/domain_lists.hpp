// The DNS lists about the domains that a client on a loop names in a transaction: asked with the first recipient that needs them.
// in      a client that may not relay, its session in a transaction, what lists say of its address
// out     what all of it comes to; awaited until each list has answered, then the connection has a turn. A sum that reaches the
//         threshold, where the address alone does not, is a line of the log, once
// bounds  each list has spec::max_dns_seconds
// lives   with its connection; what a transaction asks ends with the next one
// errors  as DnsLists has them
// source  docs/decisions/0025-lists-of-domains.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ask/inquiry.hpp"
#include "server/client/dns_lists.hpp"

namespace postern::server {

class DomainLists {
 public:
  explicit DomainLists(Connection& connection) : connection_(connection) {}

  // of_client   not awaited any more
  [[nodiscard]] ask::DnsStanding standing(const engine::Session& session, const ask::DnsVerdict* of_client);
  [[nodiscard]] bool is_awaited() const;
  // Nobody waits for them any more.
  void withdraw();

 private:
  void begin(const engine::Session& session);
  void tell(const ask::DnsVerdict* of_client) const;

  Connection& connection_;
  std::optional<std::uint32_t> transaction_;  // that they were asked for
  std::vector<std::unique_ptr<DnsLists>> asked_;
  std::optional<ask::DnsVerdict> sum_;
};

}  // namespace postern::server
