#include "engine/policy.hpp"

namespace postern::engine {

const spec::PolicyRow* decide(spec::Guards guards, spec::Event event) {
  if (!guards.has(spec::waiting_for(event))) return nullptr;
  for (const spec::PolicyRow& row : spec::policy_rows(event)) {
    if ((guards.bits & row.care) == row.want) return &row;
  }
  return nullptr;
}

}  // namespace postern::engine
