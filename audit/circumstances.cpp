#include "audit/circumstances.hpp"

#include <algorithm>
#include <bit>

#include "audit/text.hpp"

namespace postern::audit {
namespace {

// `AUTH=1`, `channel clear or starttls`; empty when every value is among them.
std::string text_of(const spec::Variable& variable, std::uint64_t always, std::uint64_t ever) {
  if (variable.is_boolean) {
    const std::uint64_t bit = spec::bits_of(variable);
    if ((always & bit) != 0) return variable.name + "=1";
    return (ever & bit) == 0 ? variable.name + "=0" : "";
  }
  std::vector<std::string> values;
  for (std::size_t value = 0; value < variable.values.size(); ++value) {
    if ((ever & spec::bit_of(variable, value)) != 0) values.push_back(variable.values[value]);
  }
  return values.size() == variable.values.size() ? "" : variable.name + " " + joined(values, " or ");
}

}  // namespace

void Circumstances::add(spec::Guards guards) {
  always_ &= guards.bits;
  ever_ |= guards.bits;
  std::uint64_t fixed = 0;
  for (const spec::Variable* variable : policy_.fixed()) fixed |= spec::bits_of(*variable);
  configurations_.insert(guards.bits & fixed);
}

spec::Guards Circumstances::plainest() const {
  const auto oddness = [](std::uint64_t bits) {
    return std::popcount(bits ^ (spec::bit::certificate | spec::bit::backend | spec::bit::AUTH));
  };
  const auto by_oddness = [&](std::uint64_t one, std::uint64_t other) {
    return std::pair(oddness(one), one) < std::pair(oddness(other), other);
  };
  const auto found = std::ranges::min_element(configurations_, by_oddness);
  return found == configurations_.end() ? spec::Guards{} : spec::Guards{*found};
}

std::string Circumstances::text(const std::vector<std::string>& except) const {
  std::vector<std::string> parts;
  for (const spec::Variable& variable : policy_.model().variables) {
    if (std::ranges::find(except, variable.name) != except.end()) continue;
    if (std::string part = text_of(variable, always_, ever_); !part.empty()) parts.push_back(std::move(part));
  }
  return joined(parts, ", ");
}

}  // namespace postern::audit
