// What is played against a server: for each decision worth a trial a shortest session that comes by it, and what is asked
// after it to see the state that it left.
// in      the settings and facts that the server is supposed to have; Surroundings
// out     Trials, nearest first; one that cannot be played has its hindrance
// how     breadth first through the states of the table, by acts that can be done before those that cannot. Of states that
//         decide alike one is tried. What belongs to a transaction or an extension is tried only after EHLO, for a
//         server may ask for it (RFC 5321 4.1.4)
// source  spec/policy.toml, spec/events.toml
#pragma once

#include <string>
#include <vector>

#include "audit/judge/act.hpp"

namespace postern::audit {

struct Trial {
  std::vector<TrialStep> steps;  // the way there, the tested one, those that look at the state after it
  std::size_t tested = 0;
  std::string hindrance;  // empty: it can be played

  [[nodiscard]] const TrialStep& subject() const { return steps[tested]; }
};

[[nodiscard]] std::vector<Trial> plan_trials(const Policy& policy, spec::Guards settings_and_facts,
                                             const Surroundings& surroundings);

}  // namespace postern::audit
