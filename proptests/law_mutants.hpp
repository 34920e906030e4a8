// Every single mutant of the laws: one clause, condition, value or name of theirs changed, all else as it was.
// in      a Model, and the Laws as loaded
// out     LawMutants, each with a name that stays the same while the laws do: the clauses that then read otherwise, by their
//         numbers in Forbidden
// source  docs/proof.md
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "spec/laws.hpp"

namespace postern::proptests {

struct ChangedClause {
  std::size_t clause;
  spec::Expression condition;        // of an invariant: about the state after
  std::optional<std::size_t> event;  // of other events it says what it said
};

struct LawMutant {
  std::string kind, name;
  std::vector<ChangedClause> clauses;  // more than one when a name is changed that they use
};

[[nodiscard]] std::vector<LawMutant> mutants_of(const spec::Model& model, const spec::Laws& laws);

}  // namespace postern::proptests
