#include "audit/behaviour_groups.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

bool belong_together(const Behaviours& behaviours, const Explanation& one, const Explanation& other) {
  if (one.verdict != other.verdict) return false;
  if (!one.is_live()) return one.start.row->rule == other.start.row->rule;
  return behaviours.alike(one.configuration.settings_and_facts, other.configuration.settings_and_facts);
}

void count(Matrix& matrix, const Explanation& explanation) {
  switch (explanation.verdict) {
    case Verdict::refused: ++matrix.refused; break;
    case Verdict::dead: ++matrix.dead; break;
    case Verdict::live: ++matrix.live; break;
  }
  if (!explanation.password_in_clear) return;
  ++matrix.password_in_clear;
  if (explanation.configuration.settings_and_facts.has(spec::bit::FORCE_TLS)) ++matrix.password_in_clear_with_force_tls;
}

}  // namespace

Matrix make_matrix(const Policy& policy) {
  const Behaviours behaviours(policy);
  Matrix matrix;
  for (const spec::Cell& cell : policy.model().cells)
    matrix.cells.push_back({&cell, explain(policy, configuration_of(policy, cell))});
  for (const Configuration& configuration : all_settings(policy)) {
    Explanation explanation = explain(policy, configuration);
    count(matrix, explanation);
    auto group = std::ranges::find_if(matrix.groups, [&](const BehaviourGroup& g) {
      return belong_together(behaviours, g.explanation, explanation);
    });
    if (group == matrix.groups.end()) {
      if (explanation.is_live()) ++matrix.behaviours;
      group = matrix.groups.insert(matrix.groups.end(), {std::move(explanation), {}, {}});
    }
    group->members.push_back(configuration);
    for (const MatrixCell& cell : matrix.cells) {
      if (cell.explanation.configuration.settings_and_facts == configuration.settings_and_facts)
        group->cells.push_back(cell.cell);
    }
  }
  std::ranges::stable_sort(matrix.groups, [](const BehaviourGroup& one, const BehaviourGroup& other) {
    return one.explanation.verdict > other.explanation.verdict;
  });
  return matrix;
}

}  // namespace postern::audit
