// What many decisions have in common: under which settings, facts and states they are made.
// in      decisions, one after another
// out     `only with ALLOW_INSECURE_AUTH=1, channel clear`: each variable that has not all of its values among them; how many
//         configurations they belong to
// lives   the policy must outlive it
// source  spec/settings.toml (the variables)
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "audit/policy.hpp"

namespace postern::audit {

class Circumstances {
 public:
  explicit Circumstances(const Policy& policy) : policy_(policy) {}

  void add(spec::Guards guards);
  [[nodiscard]] bool is_empty() const { return configurations_.empty(); }
  [[nodiscard]] std::size_t configurations() const { return configurations_.size(); }
  // One of them: the one with the fewest settings that are not usual.
  [[nodiscard]] spec::Guards plainest() const;
  // Without what `except` names, by variable; empty when nothing is left.
  [[nodiscard]] std::string text(const std::vector<std::string>& except = {}) const;

 private:
  const Policy& policy_;
  std::uint64_t always_ = ~std::uint64_t{0}, ever_ = 0;
  std::unordered_set<std::uint64_t> configurations_;  // bits of settings and facts
};

}  // namespace postern::audit
