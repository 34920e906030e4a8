// The results as JSON, the same for --json and for the explorer.
// out     nlohmann::ordered_json; field order is that of the structs. Users include <nlohmann/json.hpp> themselves
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "audit/advice.hpp"
#include "audit/explanation.hpp"
#include "audit/seed_table.hpp"

namespace postern::audit {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const Policy& policy, const Configuration& configuration);
[[nodiscard]] Json to_json(const Policy& policy, const Explanation& explanation);
[[nodiscard]] Json to_json(const std::vector<Advice>& advice);
[[nodiscard]] Json to_json(const PlaceInTable& place);
[[nodiscard]] Json to_json(const Decision& decision);

// Indented, with a line end; octets that are no UTF-8 are replaced.
[[nodiscard]] std::string dumped(const Json& json);

}  // namespace postern::audit
