#include "cli/serve_variables.hpp"

#include <algorithm>
#include <array>

#include "config/settings_env.hpp"
#include "config/variables.hpp"
#include "spec/foreign.hpp"
#include "spec/limits.hpp"

namespace postern::cli {
namespace {

using config::find_variable;
using config::VariableKind;

// What the reader of the environment says of this one; nothing when it is content.
std::string allowed_by_reader(const std::string& assignment) {
  const std::array<const char*, 2> one{assignment.c_str(), nullptr};
  const base::Environment environment(one.data());
  const auto settings = config::read_settings(environment, {});
  if (!settings.problems.empty()) return std::string(settings.problems.front().allowed);
  const auto numbers = config::read_numbers(environment, {});
  if (!numbers.problems.empty()) return std::string(numbers.problems.front().allowed);
  const auto texts = config::judge_texts(environment, {});
  return texts.empty() ? "" : std::string(texts.front().allowed);
}

std::optional<std::string> take_number(const FileValue& value) {
  if (value.node.is_string()) {
    value.not_allowed("only a number without quotes is allowed");
    return std::nullopt;
  }
  if (value.name == "ERROR_FD") {  // read where programs are run
    std::uint32_t descriptor = 0;
    value.number(descriptor, 2, 255);
    return "ERROR_FD=" + std::to_string(descriptor);
  }
  std::string assignment = std::string(value.name) + "=" + written(value.node);
  if (const std::string allowed = allowed_by_reader(assignment); !allowed.empty()) {
    value.not_allowed(allowed);
    return std::nullopt;
  }
  return assignment;
}

std::optional<std::string> take_text(const FileValue& value) {
  const auto text = value.node.value_exact<std::string>();
  if (!text || !is_clean(*text)) {
    value.not_allowed("only a text in quotes is allowed, without control characters");
    return std::nullopt;
  }
  std::string assignment = std::string(value.name) + "=" + *text;
  if (const std::string allowed = allowed_by_reader(assignment); !allowed.empty()) {
    value.not_allowed(allowed);
    return std::nullopt;
  }
  return assignment;
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
  std::string names;
  for (const config::Variable& each : config::variables())
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  return "is no variable of postern, only " + names +
         " are; one for a queue program or check program goes into the environment of the service";
}

std::optional<std::string> take_variable(const FileValue& value) {
  return find_variable(value.name)->kind == VariableKind::number ? take_number(value) : take_text(value);
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
