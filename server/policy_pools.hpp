// The connections of one loop to policy services: a pool for each address that a class names, made when it is first asked.
// in      addresses of a start
// out     the pool to ask it by; a name for each session
// bounds  spec::max_policy_connections and max_policy_waiting for each; an address that no class names any more keeps an empty pool
// lives   until no request is left; all on the loop's thread
// errors  std::bad_alloc
// source  docs/decisions/0013-outbound.md, 0019-policy-service.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ask/policy_conversation.hpp"
#include "loop/outbound_pool.hpp"

namespace postern::server {

class PolicyPools {
 public:
  using Pool = loop::OutboundPool<ask::PolicyConversation>;

  explicit PolicyPools(loop::Loop& loop);

  [[nodiscard]] Pool& of(const base::SocketAddress& service);
  // session   of this loop: its number in the log
  [[nodiscard]] std::string name_of(std::uint64_t session) const;

 private:
  struct Named {
    std::string address;
    std::unique_ptr<Pool> pool;
  };

  loop::Loop& loop_;
  std::string name_;  // of this loop
  std::vector<Named> pools_;
};

}  // namespace postern::server
