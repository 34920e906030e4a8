// Which configurations behave alike: no client can tell them apart, whatever it says and in whatever order.
// in      what a client looks at: the codes of replies, which is all it may act on (RFC 5321 4.2), or their words, too
// out     a class for each configuration; equal classes: equal replies, capability lines and effects for ever after a
//         start that is judged by its settings and facts alone (`connect.ready`)
// cost    one walk through every state of every configuration, then refinement of the partition; about 0.1 s
// source  spec/policy.toml; Moore 1956 (refinement until nothing splits any more)
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "audit/policy.hpp"

namespace postern::audit {

enum class Compared : std::uint8_t { codes, words };

class Behaviours {
 public:
  explicit Behaviours(const Policy& policy, Compared compared = Compared::codes);
  [[nodiscard]] std::uint64_t class_of(spec::Guards settings_and_facts) const {
    return classes_.at(settings_and_facts.bits);
  }
  [[nodiscard]] bool alike(spec::Guards one, spec::Guards other) const { return class_of(one) == class_of(other); }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> classes_;
};

}  // namespace postern::audit
