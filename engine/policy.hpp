// (State, Event, Guards) -> row: the only place where something is decided.
// in      the guards of a session and an event
// out     the row of the generated table that decides, and the guards after it
// errors  none: the generator proves that a row decides in every state in which the event can happen; an event reported
//         in another state finds the last row of its event
// source  spec/policy.toml
#pragma once

#include "spec/policy_row.hpp"

namespace postern::engine {

[[nodiscard]] const spec::PolicyRow& decide(spec::Guards guards, spec::Event event);
[[nodiscard]] inline spec::Guards after(const spec::PolicyRow& row, spec::Guards guards) {
  return {(guards.bits & ~row.clear) | row.set};
}

}  // namespace postern::engine
