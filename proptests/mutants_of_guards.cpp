#include <utility>

#include "proptests/mutants.hpp"

namespace postern::proptests {
namespace {

using spec::Expression;
using Kind = Expression::Kind;

std::string text_of(const Expression& e, const std::vector<spec::Variable>& names) {
  const auto part = [&](std::size_t i) { return text_of(e.parts[i], names); };
  switch (e.kind) {
    case Kind::always: return "always";
    case Kind::atom: {
      const spec::Variable& name = names[e.variable];
      if (name.is_boolean) return (e.value == 1 ? "" : "not ") + name.name;
      return name.name + " is " + name.values[e.value];
    }
    case Kind::negation: return "not " + part(0);
    case Kind::conjunction: return "(" + part(0) + " and " + part(1) + ")";
    case Kind::disjunction: return "(" + part(0) + " or " + part(1) + ")";
  }
  std::unreachable();
}

Expression negation_of(Expression inner) {
  Expression result{.kind = Kind::negation};
  result.parts.push_back(std::move(inner));
  return result;
}

// What may stand in the place of this node; `how` is about the node.
std::vector<ChangedExpression> changes_of_node(const Expression& e, const std::vector<spec::Variable>& names,
                                               std::size_t most_values) {
  std::vector<ChangedExpression> changes;
  const std::string text = text_of(e, names);
  if (e.kind == Kind::atom) {
    changes.push_back({"turn `" + text + "`", negation_of(e)});
    const std::size_t values = names[e.variable].values.size();
    for (std::size_t value = 0; !names[e.variable].is_boolean && values <= most_values && value < values; ++value) {
      if (value == e.value) continue;
      Expression other = e;
      other.value = value;
      changes.push_back({"`" + text_of(other, names) + "` for `" + text + "`", other});
    }
  }
  if (e.kind == Kind::negation && e.parts[0].kind != Kind::atom) changes.push_back({"turn `" + text + "`", e.parts[0]});
  if (e.kind == Kind::conjunction || e.kind == Kind::disjunction) {
    changes.push_back({"leave out `" + text_of(e.parts[1], names) + "`", e.parts[0]});
    changes.push_back({"leave out `" + text_of(e.parts[0], names) + "`", e.parts[1]});
    Expression other = e;
    other.kind = e.kind == Kind::conjunction ? Kind::disjunction : Kind::conjunction;
    changes.push_back({"`" + text_of(other, names) + "` for `" + text + "`", other});
  }
  return changes;
}

}  // namespace

std::vector<ChangedExpression> mutants_of(const Expression& expression, const std::vector<spec::Variable>& names,
                                          std::size_t most_values) {
  std::vector<ChangedExpression> result = changes_of_node(expression, names, most_values);
  for (std::size_t i = 0; i < expression.parts.size(); ++i) {
    for (ChangedExpression& part : mutants_of(expression.parts[i], names, most_values)) {
      Expression whole = expression;
      whole.parts[i] = std::move(part.expression);
      result.push_back({std::move(part.how), std::move(whole)});
    }
  }
  return result;
}

}  // namespace postern::proptests
