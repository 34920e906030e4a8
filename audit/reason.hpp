// Why something is so: the fewest settings and facts that alone make it so, and the fewest changes that end it.
// in      a configuration, a claim about configurations, the bits that may be named
// out     causes: however the other settings and facts are, the claim holds while these stay as they are
//         fixes: each alone, flipped, ends the claim; pairs only when no single one does
// how     tries every subset, smallest first, against every completion; the claim is asked, never computed here
// source  deviation D10 ("with the shortest explanation")
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/configuration.hpp"
#include "audit/policy.hpp"

namespace postern::audit {

using Claim = std::function<bool(spec::Guards settings_and_facts)>;

// Bits, in the order of settings.toml; none when even all of them together are not enough.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> smallest_cause(const Policy& policy, spec::Guards guards,
                                                                       std::uint64_t may_name, const Claim& claim);

// Sets of bits to flip.
[[nodiscard]] std::vector<std::vector<std::uint64_t>> smallest_fixes(const Policy& policy,
                                                                     const Configuration& configuration,
                                                                     const Claim& claim);

// The bits that the rule's condition looks at, settings and facts only.
[[nodiscard]] std::uint64_t support_of(const Policy& policy, spec::Rule rule);

struct Reason {
  std::string sentence;              // "nothing can be accepted: AUTH is required, ..."
  std::vector<std::string> because;  // `DENY_TLS=1`
  std::vector<std::string> fixes;    // `DENY_TLS=0`, `AUTH=1 backend=1`
};

// Why the start is refused; none when it is not.
[[nodiscard]] std::optional<Reason> reason_of_refusal(const Policy& policy, const Configuration& configuration);

}  // namespace postern::audit
