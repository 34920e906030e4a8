#include "spec/expression.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace postern::spec {
namespace {

using Kind = Expression::Kind;

Expression combine(Kind kind, Expression left, Expression right) {
  Expression result{.kind = kind};
  result.parts.push_back(std::move(left));
  result.parts.push_back(std::move(right));
  return result;
}

Expression negate(Expression inner) {
  Expression result{.kind = Kind::negation};
  result.parts.push_back(std::move(inner));
  return result;
}

// Recursive descent: or < and < not < primary.
class Parser {
 public:
  Parser(std::string_view text, const std::vector<Variable>& variables, const Lookup& derived)
      : text_(text), variables_(variables), derived_(derived) {
    advance();
  }

  std::expected<Expression, std::string> parse() {
    Expression result = disjunction();
    if (problem_.empty() && !token_.empty()) fail("expected `and`, `or` or the end");
    if (!problem_.empty()) return std::unexpected(problem_);
    return result;
  }

 private:
  static bool is_name_octet(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '*';
  }

  void advance() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    std::size_t end = at_;
    while (end < text_.size() && is_name_octet(text_[end])) ++end;
    if (end == at_ && end < text_.size()) ++end;
    token_ = text_.substr(at_, end - at_);
    at_ = end;
  }

  bool take(std::string_view wanted) {
    if (token_ != wanted) return false;
    advance();
    return true;
  }

  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what + " at '" + std::string(token_) + "' in \"" + std::string(text_) + "\"";
  }

  Expression disjunction() {
    Expression left = conjunction();
    while (take("or")) left = combine(Kind::disjunction, std::move(left), conjunction());
    return left;
  }

  Expression conjunction() {
    Expression left = negation();
    while (take("and")) left = combine(Kind::conjunction, std::move(left), negation());
    return left;
  }

  Expression negation() {
    if (take("not")) return negate(negation());
    if (!take("(")) return primary();
    Expression inner = disjunction();
    if (!take(")")) fail("expected )");
    return inner;
  }

  Expression primary() {
    const std::string name(token_);
    if (name.empty() || !is_name_octet(name.front())) {
      fail("expected a name");
      return {};
    }
    if (const Expression* known = derived_(name)) {
      advance();
      return *known;
    }
    const auto found = std::ranges::find(variables_, name, &Variable::name);
    if (found == variables_.end()) {
      fail("unknown name");
      return {};
    }
    advance();
    const auto index = static_cast<std::size_t>(found - variables_.begin());
    if (found->is_boolean) return {.kind = Kind::atom, .variable = index, .value = 1};
    return comparison(index);
  }

  Expression comparison(std::size_t variable) {
    if (take("is")) return value_of(variable);
    if (!take("in") || !take("(")) {
      fail("expected `is` or `in (` after " + variables_[variable].name);
      return {};
    }
    Expression result = value_of(variable);
    while (take(",")) result = combine(Kind::disjunction, std::move(result), value_of(variable));
    if (!take(")")) fail("expected , or )");
    return result;
  }

  // `mail.*` stands for every value that begins with `mail.`.
  Expression value_of(std::size_t variable) {
    const auto& values = variables_[variable].values;
    const bool is_family = token_.ends_with('*');
    const std::string_view begin = token_.substr(0, token_.size() - (is_family ? 1 : 0));
    std::vector<Expression> found;
    for (std::size_t value = 0; value < values.size(); ++value) {
      if (is_family ? values[value].starts_with(begin) : values[value] == begin)
        found.push_back({.kind = Kind::atom, .variable = variable, .value = value});
    }
    if (found.empty()) {
      fail("unknown value of " + variables_[variable].name);
      return {};
    }
    advance();
    Expression result = std::move(found.front());
    for (std::size_t i = 1; i < found.size(); ++i)
      result = combine(Kind::disjunction, std::move(result), std::move(found[i]));
    return result;
  }

  std::string_view text_;
  const std::vector<Variable>& variables_;
  const Lookup& derived_;
  std::size_t at_ = 0;
  std::string_view token_;
  std::string problem_;
};

// A pattern that asks two values of one state, or none, fits no word.
bool is_possible(const Cube& cube, const std::vector<Variable>& variables) {
  return std::ranges::all_of(variables, [&](const Variable& variable) {
    if (variable.is_boolean) return true;
    const std::uint64_t bits = bits_of(variable);
    const std::uint64_t wanted = cube.want & bits;
    const bool none_left = wanted == 0 && (cube.care & bits) == bits;
    return !none_left && (wanted & (wanted - 1)) == 0;
  });
}

std::vector<Cube> meet(const std::vector<Cube>& left, const std::vector<Cube>& right,
                       const std::vector<Variable>& variables) {
  std::vector<Cube> result;
  for (const Cube& a : left) {
    for (const Cube& b : right) {
      if (((a.want ^ b.want) & a.care & b.care) != 0) continue;
      const Cube both{.care = a.care | b.care, .want = a.want | b.want};
      if (is_possible(both, variables)) result.push_back(both);
    }
  }
  return result;
}

std::vector<Cube> cubes_of(const Expression& e, const std::vector<Variable>& variables, bool negated) {
  switch (e.kind) {
    case Kind::always: return negated ? std::vector<Cube>{} : std::vector<Cube>{Cube{}};
    case Kind::atom: {
      const std::uint64_t bit = bit_of(variables[e.variable], e.value);
      const bool wants_bit = !negated && (!variables[e.variable].is_boolean || e.value == 1);
      return {Cube{.care = bit, .want = wants_bit ? bit : 0}};
    }
    case Kind::negation: return cubes_of(e.parts[0], variables, !negated);
    case Kind::conjunction:
    case Kind::disjunction: break;
  }
  std::vector<Cube> left = cubes_of(e.parts[0], variables, negated);
  const std::vector<Cube> right = cubes_of(e.parts[1], variables, negated);
  if ((e.kind == Kind::conjunction) != negated) return meet(left, right, variables);
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace

std::expected<Expression, std::string> parse_expression(std::string_view text, const std::vector<Variable>& variables,
                                                        const Lookup& derived) {
  if (text.empty()) return Expression{};
  return Parser(text, variables, derived).parse();
}

bool holds(const Expression& e, const Assignment& assignment) {
  switch (e.kind) {
    case Kind::always: return true;
    case Kind::atom: return assignment[e.variable] == e.value;
    case Kind::negation: return !holds(e.parts[0], assignment);
    case Kind::conjunction: return holds(e.parts[0], assignment) && holds(e.parts[1], assignment);
    case Kind::disjunction: return holds(e.parts[0], assignment) || holds(e.parts[1], assignment);
  }
  std::unreachable();
}

std::vector<Cube> to_cubes(const Expression& expression, const std::vector<Variable>& variables) {
  return cubes_of(expression, variables, false);
}

std::uint64_t to_word(const Assignment& assignment, const std::vector<Variable>& variables) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    if (!variables[i].is_boolean || assignment[i] == 1) word |= bit_of(variables[i], assignment[i]);
  }
  return word;
}

void collect_support(const Expression& e, std::vector<bool>& support) {
  if (e.kind == Kind::atom) support[e.variable] = true;
  for (const Expression& part : e.parts) collect_support(part, support);
}

bool matches(const std::vector<Cube>& cubes, std::uint64_t word) {
  return std::ranges::any_of(cubes, [&](const Cube& cube) { return (word & cube.care) == cube.want; });
}

std::uint64_t bits_of(const Variable& variable) {
  const std::size_t count = variable.is_boolean ? 1 : variable.values.size();
  return ((std::uint64_t{1} << count) - 1) << variable.first_bit;
}

std::uint64_t bit_of(const Variable& variable, std::size_t value) {
  return std::uint64_t{1} << (variable.first_bit + (variable.is_boolean ? 0 : value));
}

}  // namespace postern::spec
