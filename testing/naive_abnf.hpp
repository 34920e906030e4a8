// ABNF as functions: a rule says every way in which it can match at a place, with what it captured on that way.
// in      a text and an offset
// out     Ways; Text::furthest is the greatest offset at which an octet was wanted and another, or none, stood there
// errors  none: no match is no way
// source  RFC 5234 3
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::testing {

using Captures = std::map<std::string, std::string>;
using Ways = std::set<std::pair<std::size_t, Captures>>;  // where the match ends, what it captured

struct Text {
  std::string_view octets;
  std::size_t furthest = 0;
};

using Rule = std::function<Ways(Text&, std::size_t)>;

Rule octet(const std::function<bool(unsigned char)>& fits);
Rule range(unsigned char first, unsigned char last);
Rule literal(const std::string& any_case);
Rule sequence(const std::vector<Rule>& rules);
Rule either(const std::vector<Rule>& rules);
Rule repeat(std::size_t least, std::size_t most, const Rule& rule);
Rule optional(const Rule& rule);
Rule capture(const std::string& name, const Rule& rule);
// The ways of a rule whose matched text satisfies a condition that ABNF tells in prose.
Rule only_if(const std::function<bool(std::string_view)>& fits, const Rule& rule);

inline constexpr std::size_t any_number = static_cast<std::size_t>(-1);

}  // namespace postern::testing
