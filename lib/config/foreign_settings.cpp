#include "config/foreign_settings.hpp"

#include <unistd.h>

#include <optional>

#include "config/control.hpp"

namespace postern::config {
namespace {

using spec::ForeignKind;
using spec::ForeignRow;
using spec::ForeignStart;

// `words`: each with a blank after it.
bool holds(std::string_view words, std::string_view value) {
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = words.find(' ', at);
    if (words.substr(at, end - at) == value) return true;
    at = end + 1;
  }
  return false;
}

std::optional<ForeignStart> start_at(const ForeignRow& row, std::string_view value) {
  if (holds(row.idle, value)) return std::nullopt;
  return holds(row.warns_at, value) ? ForeignStart::warn : row.start;
}

std::string sentence(const ForeignRow& row, std::string_view place) {
  return std::string(place) + ": in " + std::string(row.whose) + " it " + std::string(row.does) +
         ", here it has no effect: " + std::string(row.instead);
}

void find(const base::Environment& environment, const ForeignRow& row, std::string_view prefix, std::string_view origin,
          std::vector<ForeignFinding>& found) {
  const std::string name = std::string(prefix) + std::string(row.name);
  const std::string_view value = environment.value_of(name);
  if (value.empty()) return;
  const auto start = start_at(row, value);
  if (!start) return;
  found.push_back({*start, sentence(row, name + "=\"" + std::string(value) + "\" in " + std::string(origin))});
}

// What the file means; nothing when it has nothing to say.
std::optional<ForeignStart> start_of_file(const ForeignRow& row) {
  const std::string path = "control/" + std::string(row.name);
  if (access(path.c_str(), F_OK) != 0) return std::nullopt;
  if (row.kind == ForeignKind::list) {
    const auto text = read_list(row.name);
    const bool is_empty = text && !ControlEntries(text->value_or(std::string())).next();
    return is_empty ? std::nullopt : std::optional(row.start);
  }
  const auto line = read_line(row.name);
  const std::string value = line ? line->value_or(std::string()) : "?";
  return value.empty() ? std::nullopt : start_at(row, value);
}

}  // namespace

std::vector<ForeignFinding> find_foreign_variables(const base::Environment& environment, std::string_view origin) {
  std::vector<ForeignFinding> found;
  for (const ForeignRow& row : spec::foreign_rows()) {
    if (row.kind != ForeignKind::variable) continue;
    find(environment, row, "", origin, found);
    find(environment, row, "AUTH_SET_", origin, found);
  }
  return found;
}

std::optional<ForeignFinding> find_foreign(std::string_view name, std::string_view value, std::string_view place) {
  constexpr std::string_view prefix = "AUTH_SET_";
  const std::string_view bare = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
  for (const ForeignRow& row : spec::foreign_rows()) {
    if (row.kind != ForeignKind::variable || row.name != bare || value.empty()) continue;
    const auto start = start_at(row, value);
    if (!start) return std::nullopt;
    const std::string set = std::string(name) + "=\"" + std::string(value) + "\" ";
    return ForeignFinding{*start, sentence(row, set + std::string(place))};
  }
  return std::nullopt;
}

std::vector<ForeignFinding> find_foreign_files() {
  std::vector<ForeignFinding> found;
  for (const ForeignRow& row : spec::foreign_rows()) {
    if (row.kind == ForeignKind::variable) continue;
    if (const auto start = start_of_file(row))
      found.push_back({*start, sentence(row, "control/" + std::string(row.name))});
  }
  return found;
}

}  // namespace postern::config
