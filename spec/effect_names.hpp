// The names of what a decision brings about, as the log has them: effects, and the questions that some of them ask.
// out     the names of spec/events.toml; they live for ever
// source  spec/events.toml
#pragma once

#include <string_view>

#include "spec/policy_names.hpp"

namespace postern::spec {

[[nodiscard]] std::string_view name_of(Effect effect);
[[nodiscard]] std::string_view name_of(Question question);

}  // namespace postern::spec
