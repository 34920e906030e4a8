// The variables of a listener: keys of its table in a file, and what a class of tcprules may set.
// in      a name
// out     the variable; or of a name that is none, which one was probably meant
// source  docs/operating.md: Variables; spec/foreign.toml
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::config {

enum class VariableKind : std::uint8_t { number, text };
struct Variable {
  std::string_view name;
  VariableKind kind;
};

[[nodiscard]] std::span<const Variable> variables();
[[nodiscard]] const Variable* find_variable(std::string_view name);  // null: no variable of a listener
// One that postern knows, if only as another program's or as the client's: TCPREMOTEHOST, AUTH_SET_DATABYTES, SPFBEHAVIOR.
[[nodiscard]] bool is_known(std::string_view name);
// `FORCE_TSL is no variable: did you mean FORCE_TLS?`; nothing for a name that is known, or like none.
[[nodiscard]] std::optional<std::string> misspelling(std::string_view name);

}  // namespace postern::config
