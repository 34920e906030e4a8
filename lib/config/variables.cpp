#include "config/variables.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/spelling.hpp"
#include "spec/foreign.hpp"

namespace postern::config {
namespace {

constexpr std::array table = {
    Variable{"PORT", VariableKind::number},
    Variable{"SSL", VariableKind::number},
    Variable{"FORCE_TLS", VariableKind::number},
    Variable{"DENY_TLS", VariableKind::number},
    Variable{"AUTH", VariableKind::number},
    Variable{"REQUIRE_AUTH", VariableKind::number},
    Variable{"ALLOW_INSECURE_AUTH", VariableKind::number},
    Variable{"QMAILQUEUE", VariableKind::text},
    Variable{"ERROR_FD", VariableKind::number},
    Variable{"POSTERN_LMTP", VariableKind::text},
    Variable{"POSTERN_MAILDIR", VariableKind::text},
    Variable{"POSTERN_DISCARD", VariableKind::number},
    Variable{"POSTERN_RELAY", VariableKind::number},
    Variable{"POSTERN_DELIVERED_TO", VariableKind::number},
    Variable{"POSTERN_HIDE_USER", VariableKind::number},
    Variable{"TMPDIR", VariableKind::text},
    Variable{"AUTH_CDB", VariableKind::text},
    Variable{"RELAYCLIENT", VariableKind::text},
    Variable{"DATABYTES", VariableKind::number},
    Variable{"SMTPGREETING", VariableKind::text},
    Variable{"MAXRCPT", VariableKind::number},
    Variable{"STRICT_ADDRESSES", VariableKind::number},
    Variable{"RELAYREJ", VariableKind::number},
    Variable{"RBLSMTPD", VariableKind::text},
    Variable{"GREETDELAY", VariableKind::number},
    Variable{"DROP_PRE_GREET", VariableKind::number},
    Variable{"TLS_SERVER_CERT", VariableKind::text},
    Variable{"TLS_SERVER_KEY", VariableKind::text},
    Variable{"TLSCIPHERS", VariableKind::text},
};

bool is_of_another_program(std::string_view name) {
  return std::ranges::any_of(spec::foreign_rows(), [&](const spec::ForeignRow& row) {
    return row.kind == spec::ForeignKind::variable && row.name == name;
  });
}

}  // namespace

std::span<const Variable> variables() { return table; }

const Variable* find_variable(std::string_view name) {
  const auto found = std::ranges::find(table, name, &Variable::name);
  return found == table.end() ? nullptr : &*found;
}

bool is_known(std::string_view name) {
  return find_variable(name) != nullptr || is_of_another_program(name) || name.starts_with("TCP") ||
         name.starts_with("AUTH_SET_") || name == "POSTERN_HOME";
}

std::optional<std::string> misspelling(std::string_view name) {
  if (is_known(name)) return std::nullopt;
  std::vector<std::string> names;
  for (const Variable& each : table) names.emplace_back(each.name);
  const std::string question = base::question_of(name, names);
  if (question.empty()) return std::nullopt;
  return std::string(name) + " is no variable" + question;
}

}  // namespace postern::config
