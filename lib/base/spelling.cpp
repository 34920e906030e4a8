#include "base/spelling.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace postern::base {
namespace {

constexpr std::size_t most_changes = 2;

std::string plain(std::string_view word) {
  std::string text;
  for (const char c : word)
    if (c != '_' && c != '-') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// How many letters must be added, removed or changed; at least so many, when they are too many anyway.
std::size_t changes(std::string_view a, std::string_view b) {
  const auto [shorter, longer] = std::minmax({a.size(), b.size()});
  if (longer - shorter > most_changes) return longer - shorter;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, other}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& names) {
  const std::string wanted = plain(word);
  const auto distance = [&](const std::string& name) { return changes(wanted, plain(name)); };
  const auto nearest = std::ranges::min_element(names, {}, distance);
  if (nearest == names.end()) return std::nullopt;
  const bool is_near = distance(*nearest) <= std::min(most_changes, wanted.size() / 3);
  return is_near ? std::optional(*nearest) : std::nullopt;
}

std::string question_of(std::string_view word, const std::vector<std::string>& names) {
  const auto name = nearest_name(word, names);
  return name ? ": did you mean " + *name + "?" : "";
}

}  // namespace postern::base
