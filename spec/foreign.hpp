// Settings of other programs that have no effect here, and what a start does when one is set.
// out     rows in the order of spec/foreign.toml
// lives   for ever
// source  spec/foreign.toml
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace postern::spec {

enum class ForeignKind : std::uint8_t { variable, list, value };  // the last two are control files
enum class ForeignStart : std::uint8_t { refuse, warn, note };

struct ForeignRow {
  std::string_view name;
  ForeignKind kind;
  ForeignStart start;
  std::string_view idle;      // values that mean nothing, each with a blank after it
  std::string_view warns_at;  // values at which it only warns, likewise
  std::string_view does;      // `refuses recipients who ...`
  std::string_view instead;   // `unset it; ...`
  std::string_view whose;
};

[[nodiscard]] std::span<const ForeignRow> foreign_rows();

}  // namespace postern::spec
