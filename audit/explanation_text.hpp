// An explanation as text: the password line first, the start, EHLO, what is accepted when, the rules that decide.
#pragma once

#include <string>

#include "audit/advice.hpp"
#include "audit/explanation.hpp"
#include "audit/seed_table.hpp"
#include "audit/text.hpp"

namespace postern::audit {

[[nodiscard]] std::string write_text(const Policy& policy, const Explanation& explanation);
[[nodiscard]] std::string write_text(const std::vector<Advice>& advice);
[[nodiscard]] std::string write_text(const PlaceInTable& place);
// Situations down, gates across; a closed gate says its reply.
[[nodiscard]] Rows gate_rows(const Explanation& explanation);

}  // namespace postern::audit
