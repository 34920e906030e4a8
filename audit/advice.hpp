// What an operator should know before the start: dangers, warnings, settings without effect.
// in      an explanation (for its claims), the classes of behaviour (a setting is idle when its flip changes no word)
// out     Advice, the gravest first; `id` is stable, for scripts
// how     every condition is a claim of the explanation, a decision of the table, or the port, which the policy never sees
// source  said in each piece; seed: table (red cells, red text); RFC 3207 4; RFC 8314 3.3; RFC 6409
#pragma once

#include <array>
#include <string>
#include <vector>

#include "audit/behaviour.hpp"
#include "audit/explanation.hpp"

namespace postern::audit {

enum class Grade : std::uint8_t { refusal, danger, warning, note };
[[nodiscard]] std::string_view name_of(Grade grade);

struct Advice {
  Grade grade = Grade::note;
  std::string id;
  std::string text;
  std::string source;
};

// How many pieces of each grade.
using AdviceCounts = std::array<std::size_t, 4>;
void count(const std::vector<Advice>& advice, AdviceCounts& counts);

// The clients for which the configuration holds.
enum class Clients : std::uint8_t { unknown, everybody, chosen };

// What advice compares configurations by; made once, used for many.
struct Comparison {
  explicit Comparison(const Policy& policy) : codes(policy, Compared::codes), words(policy, Compared::words) {}
  Behaviours codes, words;
};

[[nodiscard]] std::vector<Advice> advise(const Policy& policy, const Comparison& comparison,
                                         const Explanation& explanation, Clients clients = Clients::unknown);

}  // namespace postern::audit
