#include "cli/serve_variables.hpp"

#include <algorithm>

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

// What is set counts although it is empty. All others are as if they were unset then, as postern-smtpd reads them.
bool counts_when_empty(std::string_view name) { return name == "RELAYCLIENT" || name == "AUTH_CDB"; }

}  // namespace

bool is_variable(std::string_view name) { return find_variable(name) != nullptr; }

bool is_in_capitals(std::string_view name) {
  return std::ranges::none_of(name, [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string no_variable(std::string_view name) {
  if (name == "POSTERN_HOME") return "is home in [server] here";
  if (name == "POSTERN_DNS") return "is dns in [server] here";
  for (const spec::ForeignRow& row : spec::foreign_rows())
    if (row.kind == spec::ForeignKind::variable && row.name == name)
      return "is of " + std::string(row.whose) + ", where it " + std::string(row.does) +
             "; here it has no effect: " + std::string(row.instead);
  if (name.starts_with("TCP")) return "is set for each client by the listener itself";
  return "is not a variable of postern" + only_these(name, config::variable_names()) +
         "; one for a queue program or check program goes into the environment of the service";
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
    const std::string_view variable = *environment, name = variable.substr(0, variable.find('='));
    const bool is_empty = variable.size() == name.size() + 1;
    if (is_empty && !counts_when_empty(name)) continue;
    const bool is_read = (is_variable(name) && name != "TMPDIR") || name == "POSTERN_HOME" || name == "POSTERN_DNS";
    if (is_read)
      sentences.push_back(std::string(name) + " in the environment: with a file it has no effect; write it into " +
                          file + ", or unset it");
  }
  return sentences;
}

}  // namespace postern::cli
