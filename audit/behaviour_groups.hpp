// All 64 settings by behaviour, and the seed's cells, with what each means.
// out     Matrix; groups of refused settings by the rule that refuses, of live ones by behaviour
// source  seed: table; of the 64: 22 refused, 1 dead, 41 live in 16 behaviours; 6 with passwords in clear, 2 of them
//         with FORCE_TLS=1
#pragma once

#include <vector>

#include "audit/explanation.hpp"
#include "audit/seed_table.hpp"

namespace postern::audit {

struct MatrixCell {
  const spec::Cell* cell = nullptr;
  Explanation explanation;
};

struct BehaviourGroup {
  Explanation explanation;  // of the first member
  std::vector<Configuration> members;
  std::vector<const spec::Cell*> cells;  // of the seed's table that are members
};

struct Matrix {
  std::vector<MatrixCell> cells;
  std::vector<BehaviourGroup> groups;  // live ones first
  std::size_t refused = 0, dead = 0, live = 0, behaviours = 0;
  std::size_t password_in_clear = 0, password_in_clear_with_force_tls = 0;
};

[[nodiscard]] Matrix make_matrix(const Policy& policy);

}  // namespace postern::audit
