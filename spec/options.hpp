// What an operator can set: every variable and every key of the file of postern serve.
// out     OptionRow: name, kind, range, where it may stand, and the sentence of what is allowed
// lives   for ever: constant data without pointers, so that a process pays no relocation for it
// source  spec/options.toml, spec/settings.toml
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "spec/option_names.hpp"  // generated: enum class Option; namespace default_of
#include "spec/policy_row.hpp"

namespace postern::spec {

enum class OptionKind : std::uint8_t { boolean, number, text, path, address, word, list, reply, dns_lists };

// Bits of OptionRow::places. The last five are tables of the file; `tcp_class` is a record of tcprules.
enum class Place : std::uint8_t {
  environment = 1,
  tcp_class = 2,
  variables = 4,
  listener = 8,
  server = 16,
  limits = 32,
  tls = 64
};

struct OptionRow {
  TextAt name;
  TextAt allowed;  // `only 0 and 1 are allowed (unset or empty means 0)`; empty for what is judged by its kind alone
  TextAt words;    // of a word: each with a blank after it
  std::uint64_t least, most;
  OptionKind kind;
  std::uint8_t places;
  bool wants_restart;

  [[nodiscard]] bool may_stand_in(Place place) const { return (places & static_cast<std::uint8_t>(place)) != 0; }
};

[[nodiscard]] std::span<const OptionRow> option_rows();  // one for each Option, in its order
[[nodiscard]] const OptionRow& row_of(Option option);
[[nodiscard]] std::string_view option_text(TextAt at);
[[nodiscard]] inline std::string_view name_of(const OptionRow& row) { return option_text(row.name); }
[[nodiscard]] inline std::string_view name_of(Option option) { return name_of(row_of(option)); }
[[nodiscard]] inline Option option_of(const OptionRow& row) { return static_cast<Option>(&row - option_rows().data()); }

}  // namespace postern::spec
