#include "config/variables.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/spelling.hpp"
#include "spec/foreign.hpp"

namespace postern::config {
namespace {

bool is_variable_of_listener(const spec::OptionRow& row) {
  return row.may_stand_in(spec::Place::environment) && row.may_stand_in(spec::Place::listener);
}

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// The first three letters, in capitals, as one number.
std::uint32_t beginning_of(std::string_view text) {
  std::uint32_t letters = 0;
  for (const char c : text.substr(0, 3)) letters = letters << 8U | static_cast<unsigned char>(capital(c));
  return letters;
}

using Beginnings = std::array<std::uint32_t, spec::option_count>;

Beginnings beginnings() {
  Beginnings all{};
  for (std::size_t i = 0; const spec::OptionRow& row : spec::option_rows())
    if (row.may_stand_in(spec::Place::environment)) all[i++] = beginning_of(name_of(row));
  return all;
}

bool is_of_another_program(std::string_view name) {
  return std::ranges::any_of(spec::foreign_rows(), [&](const spec::ForeignRow& row) {
    return row.kind == spec::ForeignKind::variable && row.name == name;
  });
}

}  // namespace

const spec::OptionRow* find_variable(std::string_view name) {
  for (const spec::OptionRow& row : spec::option_rows())
    if (is_variable_of_listener(row) && name_of(row) == name) return &row;
  return nullptr;
}

std::vector<std::string> variable_names() {
  std::vector<std::string> names;
  for (const spec::OptionRow& row : spec::option_rows())
    if (is_variable_of_listener(row)) names.emplace_back(name_of(row));
  return names;
}

bool is_known(std::string_view name) {
  return find_variable(name) != nullptr || is_of_another_program(name) || name.starts_with("TCP") ||
         name.starts_with("AUTH_SET_") || name == spec::name_of(spec::Option::POSTERN_HOME) ||
         name == spec::name_of(spec::Option::POSTERN_DNS);
}

std::optional<std::string> misspelling(std::string_view name) {
  if (is_known(name)) return std::nullopt;
  const std::string question = base::question_of(name, variable_names());
  if (question.empty()) return std::nullopt;
  return std::string(name) + " is not a variable" + question;
}

std::vector<std::string> misspellings_in(const base::Environment& environment) {
  std::vector<std::string> sentences;
  const Beginnings ours = beginnings();
  for (char* const* each = environment.pointers(); *each != nullptr; ++each) {
    const std::string_view text(*each);
    if (std::ranges::find(ours, beginning_of(text)) == ours.end()) continue;
    if (auto sentence = misspelling(text.substr(0, text.find('=')))) sentences.push_back(std::move(*sentence));
  }
  return sentences;
}

}  // namespace postern::config
