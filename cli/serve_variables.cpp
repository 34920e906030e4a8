#include "cli/serve_variables.hpp"

#include <algorithm>

#include "audit/text.hpp"
#include "config/settings_env.hpp"
#include "config/variables.hpp"
#include "spec/foreign.hpp"

namespace postern::cli {
namespace {

using config::find_variable;
using spec::OptionKind;

// As the environment would have it; nothing, and a problem, when it cannot be.
std::optional<std::string> text_of(const FileValue& value, const spec::OptionRow& row) {
  if (row.kind == OptionKind::boolean || row.kind == OptionKind::number) {
    if (!value.node.is_string()) return written(value.node);
    value.not_allowed("only a number without quotes is allowed");
    return std::nullopt;
  }
  auto text = value.node.value_exact<std::string>();
  if (text && is_clean(*text)) return text;
  value.not_allowed("only a text in quotes is allowed, without control characters");
  return std::nullopt;
}

}  // namespace

bool is_variable(std::string_view name) { return find_variable(name) != nullptr; }

bool is_in_capitals(std::string_view name) {
  return std::ranges::none_of(name, [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string no_variable(std::string_view name) {
  if (name == "POSTERN_HOME") return "is home in [server] here";
  for (const spec::ForeignRow& row : spec::foreign_rows())
    if (row.kind == spec::ForeignKind::variable && row.name == name)
      return "is of " + std::string(row.whose) + ", where it " + std::string(row.does) +
             "; here it has no effect: " + std::string(row.instead);
  if (name.starts_with("TCP")) return "is of each client, and found by the listener itself";
  return "is no variable of postern, only " + audit::joined(config::variable_names(), ", ") +
         " are; one for a queue program or check program goes into the environment of the service";
}

std::optional<std::string> take_variable(const FileValue& value) {
  const spec::OptionRow& row = *find_variable(value.name);
  const auto text = text_of(value, row);
  if (!text) return std::nullopt;
  if (const auto allowed = config::objection_to(row, *text)) {
    value.not_allowed(*allowed);
    return std::nullopt;
  }
  return std::string(value.name) + "=" + *text;
}

std::vector<std::string> variables_beside(const std::string& file, const char* const* environment) {
  std::vector<std::string> sentences;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view name = std::string_view(*environment).substr(0, std::string_view(*environment).find('='));
    const bool is_read = (is_variable(name) && name != "TMPDIR") || name == "POSTERN_HOME";
    if (is_read)
      sentences.push_back(std::string(name) + " in the environment: beside a file it has no say; write it into " +
                          file + ", or unset it");
  }
  return sentences;
}

}  // namespace postern::cli
