#include "filter/verdict.hpp"

#include <algorithm>

namespace postern::filter {
namespace {

constexpr std::size_t max_line_octets = 998;

bool is_of_name(char c) { return c > ' ' && c <= '~' && c != ':'; }

}  // namespace

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() < max_line_octets && std::ranges::all_of(name, is_of_name);
}

bool is_field_value(std::string_view value) {
  if (value.find_first_of(std::string_view("\0\r", 2)) != std::string_view::npos) return false;
  for (std::size_t end = value.find('\n'); end != std::string_view::npos; end = value.find('\n', end + 1)) {
    const std::string_view line = value.substr(end + 1, value.find('\n', end + 1) - end - 1);
    const bool is_continuation =
        !line.empty() && (line.front() == ' ' || line.front() == '\t') && line.find_first_not_of(" \t") != line.npos;
    if (!is_continuation) return false;
  }
  return true;
}

}  // namespace postern::filter
