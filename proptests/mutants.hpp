// Every single mutant of the spec: one rule, guard, target, reply, effect or name changed, all else as it was.
// in      a Model as loaded
// out     Mutants, each with a name that stays the same while the spec does; made into a Model when wanted
// source  docs/proof.md
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "spec/model.hpp"

namespace postern::proptests {

// The spec before its derived names are put in their places, so that a change of one is felt wherever it is used.
struct Spec {
  spec::Model model;
  std::vector<spec::Variable> names;  // the model's variables, then the derived names
  std::vector<spec::Expression> derived, rules, capabilities;
};

[[nodiscard]] Spec take_apart(const spec::Model& model);
[[nodiscard]] spec::Model put_together(Spec parts);

struct Mutant {
  std::string kind, name;
  std::function<void(Spec&)> change;
  // When only what is said and done changes, and no state: the rules that say or do something else.
  std::vector<std::size_t> rules = {};
};

[[nodiscard]] std::vector<Mutant> mutants_of(const Spec& parts);

struct ChangedExpression {
  std::string how;
  spec::Expression expression;
};
// Each with one literal turned, one side left out, one `and` an `or`, one value another (of a name with so many at most), or
// nothing left of it.
[[nodiscard]] std::vector<ChangedExpression> mutants_of(const spec::Expression& expression,
                                                        const std::vector<spec::Variable>& names,
                                                        std::size_t most_values = 255);

}  // namespace postern::proptests
