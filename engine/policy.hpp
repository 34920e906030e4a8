// (State, Event, Guards) -> row: the only place where something is decided.
// in      the guards of a session and an event
// out     the row of the generated table that decides, and the guards after it; the rows live for ever
// errors  null: the event may not happen in this state (`while` of spec/events.toml), so that nothing may follow from it.
//         In every state in which it may happen a row decides: the generator refuses a spec with a hole
// source  spec/policy.toml, spec/events.toml
#pragma once

#include "spec/policy_row.hpp"

namespace postern::engine {

[[nodiscard]] const spec::PolicyRow* decide(spec::Guards guards, spec::Event event);
[[nodiscard]] inline spec::Guards after(const spec::PolicyRow& row, spec::Guards guards) {
  return {(guards.bits & ~row.clear) | row.set};
}

}  // namespace postern::engine
