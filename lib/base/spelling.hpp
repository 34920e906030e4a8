// Which name a misspelt word was probably meant to be.
// in      a word; the names there are
// out     the nearest name: the same except for case, `_` and `-`, else at most two letters away; nothing when none is near
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::base {

[[nodiscard]] std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& names);
// `: did you mean FORCE_TLS?`, or nothing.
[[nodiscard]] std::string question_of(std::string_view word, const std::vector<std::string>& names);

}  // namespace postern::base
