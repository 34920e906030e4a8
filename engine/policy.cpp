#include "engine/policy.hpp"

namespace postern::engine {

const spec::PolicyRow& decide(spec::Guards guards, spec::Event event) {
  const auto rows = spec::policy_rows(event);
  for (const spec::PolicyRow& row : rows) {
    if ((guards.bits & row.care) == row.want) return row;
  }
  return rows.back();
}

}  // namespace postern::engine
