// Which configurations behave alike: no client can distinguish them, whatever it says and in whatever order.
// in      what a client looks at: the codes of replies, which is all it may act on (RFC 5321 4.2), or their words, too
// out     whether two are alike: equal replies, capability lines and effects for ever after a start that is judged by its
//         settings and facts alone (`connect.ready`)
// how     the first questions: a walk through the pairs of states of the two, which ends where they part; one who asks
//         more pays once for a walk through every state of every configuration and a refinement of the partition
// lives   the policy must outlive it
// source  spec/policy.toml; Hopcroft and Karp 1971 (pairs of states); Moore 1956 (refinement until nothing splits any more)
#pragma once

#include <cstdint>
#include <unordered_map>

#include "audit/policy.hpp"

namespace postern::audit {

enum class Compared : std::uint8_t { codes, words };

class Behaviours {
 public:
  explicit Behaviours(const Policy& policy, Compared compared = Compared::codes)
      : policy_(policy), compared_(compared) {}
  [[nodiscard]] bool alike(spec::Guards one, spec::Guards other) const;

 private:
  const Policy& policy_;
  Compared compared_;
  mutable unsigned walks_ = 0;
  mutable std::unordered_map<std::uint64_t, std::uint64_t> classes_;  // by configuration; empty: not yet needed
};

}  // namespace postern::audit
