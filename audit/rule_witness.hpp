// A shortest session in which a rule decides, as a dialogue file.
// in      the id of a rule; the settings and facts it is to happen under, or none for the fewest that are 1
// out     the text; empty when no rule has that id, it cannot happen, or it cannot be shown (limits that were spent)
// how     breadth first from the start of each configuration
// source  spec/policy.toml
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audit/policy.hpp"

namespace postern::audit {

[[nodiscard]] std::string witness_of(const Policy& policy, std::string_view rule,
                                     const std::optional<spec::Guards>& under = std::nullopt);

}  // namespace postern::audit
