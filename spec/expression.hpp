// The guard language of the spec: `FORCE_TLS and not (channel in (starttls, implicit))`. A value `mail.*` stands for all
// that begin with `mail.`.
// in      the text of an `if` or `is`, and the names it may use
// out     Expression, a tree over variables and their values; Cubes, the same as alternatives of bit patterns
// errors  std::unexpected(sentence): unknown name, unknown value, what was expected where
// source  spec/settings.toml: settings, facts, states, derived names
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::spec {

// A setting or fact has the values "0" and "1" and one bit; a state has one bit a value, of which exactly one is set.
struct Variable {
  std::string name;
  std::vector<std::string> values;
  bool is_boolean = true;
  unsigned first_bit = 0;
};

struct Expression {
  enum class Kind : std::uint8_t { always, atom, negation, conjunction, disjunction };
  Kind kind = Kind::always;
  std::size_t variable = 0;  // atom: index of the variable
  std::size_t value = 0;     // atom: index of the value it must have
  std::vector<Expression> parts;
};

// One value index a variable.
using Assignment = std::vector<std::uint8_t>;

// Holds for a word w when (w & care) == want.
struct Cube {
  std::uint64_t care = 0;
  std::uint64_t want = 0;
};

// What a derived name stands for; null when there is no such name.
using Lookup = std::function<const Expression*(std::string_view)>;

[[nodiscard]] std::expected<Expression, std::string> parse_expression(std::string_view text,
                                                                      const std::vector<Variable>& variables,
                                                                      const Lookup& derived);
[[nodiscard]] bool holds(const Expression& expression, const Assignment& assignment);
[[nodiscard]] std::vector<Cube> to_cubes(const Expression& expression, const std::vector<Variable>& variables);
[[nodiscard]] std::uint64_t to_word(const Assignment& assignment, const std::vector<Variable>& variables);
// Marks the variables that the expression looks at.
void collect_support(const Expression& expression, std::vector<bool>& support);

[[nodiscard]] bool matches(const std::vector<Cube>& cubes, std::uint64_t word);
[[nodiscard]] std::uint64_t bits_of(const Variable& variable);
[[nodiscard]] std::uint64_t bit_of(const Variable& variable, std::size_t value);

}  // namespace postern::spec
