// Control files: the one-line, number and list files under control/ of the home, which is the current directory.
// in      a name without `control/`; it is kept in problems, so it lives for ever (a literal)
// out     an absent file is no value (nullopt), an empty one is an empty value; both are fine
// errors  ControlProblem: unreadable (errno) or malformed (what was found), with file and line; describe() says it
// cost    three system calls for a one-line file, one for an absent one; only values and lists allocate
// source  qmail-control(5); deviation D11 for numbers
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_lines.hpp"
#include "config/list_entries.hpp"

namespace postern::config {

inline constexpr std::size_t max_control_line_octets = 1024;                // of a one-line file, its line end included
inline constexpr std::size_t max_control_list_octets = 16UL * 1024 * 1024;  // more belongs into a cdb

struct Origin {
  std::string_view name;  // of the file, without `control/`
  std::size_t line;       // from 1; 0: the file as a whole
};

struct ControlProblem {
  enum class Kind : std::uint8_t { unreadable, malformed } kind;
  Origin origin;
  int error_number;         // unreadable: errno
  std::string found;        // malformed: what stands there, made printable and cut
  std::string_view remedy;  // malformed: what to do about it
};

// `control/databytes line 1: "10k": write digits only`
[[nodiscard]] std::string describe(const ControlProblem& problem);

template <typename Value>
using ControlResult = std::expected<std::optional<Value>, ControlProblem>;

// Sentences about what was read other than it stands (text_lines.hpp), or can have no effect: one a file and kind.
using ControlRemarks = std::vector<std::string>;

// The first line, as text_lines.hpp reads it. Anything in it but printable ASCII, spaces and tabs is a problem.
[[nodiscard]] ControlResult<std::string> read_line(std::string_view name, ControlRemarks* remarks = nullptr);

// The first line as a number; an empty line is no value.
[[nodiscard]] ControlResult<std::uint64_t> read_number(std::string_view name, ControlRemarks* remarks = nullptr);

// The whole text of a list file, for ControlEntries.
[[nodiscard]] ControlResult<std::string> read_list(std::string_view name);

// Every entry of a list judged (list_entries.hpp): the first one that is wrong, or remarks on all others.
[[nodiscard]] std::expected<void, ControlProblem> judge_list(std::string_view name, std::string_view text,
                                                             EntryKind kind, ControlRemarks* remarks = nullptr);

struct ControlEntry {
  std::string_view text;  // never empty; points into the list's text
  std::size_t line;
};

// Walks over the entries of a list: lines as text_lines.hpp reads them; blank ones and `#` ones are left out.
class ControlEntries {
 public:
  explicit ControlEntries(std::string_view text) : lines_(text) {}
  [[nodiscard]] std::optional<ControlEntry> next();

 private:
  base::TextLines lines_;
};

// A list that is read when it is first asked for, and then kept. One that cannot be read is tried again: perhaps no descriptor
// was free just now. One with a wrong entry counts as unreadable.
class ControlList {
 public:
  enum class State : std::uint8_t { absent, present, unusable };

  ControlList(std::string_view name, EntryKind kind) : name_(name), kind_(kind) {}
  // One that is in no file: the same text, given.
  ControlList(std::string_view name, std::string text) : name_(name), state_(State::present), text_(std::move(text)) {}
  [[nodiscard]] State load();
  // Once it is loaded: contains() looks at few entries from then on, for frequent callers.
  void sort();
  [[nodiscard]] State state() const { return state_.value_or(State::unusable); }  // as load() left it
  [[nodiscard]] bool has_entries() const { return ControlEntries(text_).next().has_value(); }
  [[nodiscard]] bool contains(std::string_view entry) const;             // whatever the case of its letters
  [[nodiscard]] const std::string& problem() const { return problem_; }  // after State::unusable

 private:
  struct Place {  // of an entry in text_: a view would not outlive a move of a short one
    std::uint32_t at, octets;
  };
  [[nodiscard]] std::string_view entry_at(Place place) const { return {text_.data() + place.at, place.octets}; }
  [[nodiscard]] bool is_among(std::span<const Place> sorted, std::string_view entry) const;

  std::string_view name_;
  EntryKind kind_ = EntryKind::domains;
  std::optional<State> state_;  // none: not read yet
  std::string text_;
  std::optional<std::vector<Place>> sorted_;  // none: the entries are scanned
  std::string problem_;
};

// ASCII only, as domains are.
[[nodiscard]] constexpr char lower_case(char octet) {
  return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet - 'A' + 'a') : octet;
}
[[nodiscard]] std::string in_lower_case(std::string_view text);

}  // namespace postern::config
