// What a client can do in a state, octet by octet: the acts of which trials are made.
// in      a state of the policy; Surroundings
// out     Acts; what is said for one, and how a report shows it (a login never)
// errors  hindrance_of(), why_unplayed(): a sentence why an act, or an event, is not tried
// source  spec/events.toml; samples.hpp
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/judge/surroundings.hpp"
#include "audit/policy.hpp"

namespace postern::audit {

// `outcome`: of the question that the table asks then, as the client arranges it; else the same as `asked`.
struct Act {
  spec::Event asked{}, outcome{};
  friend bool operator==(const Act&, const Act&) = default;
};

// One act with the decisions of the table: `last` is the one that is answered.
struct TrialStep {
  Act act;
  Decision first, last;
  bool uses_login = false;

  [[nodiscard]] bool is_question() const { return act.asked != act.outcome; }
};

[[nodiscard]] std::vector<Act> acts_in(const Policy& policy, spec::Guards state);
// The outcome counts only where the table asks for it.
[[nodiscard]] TrialStep step_of(const Policy& policy, spec::Guards state, Act act);

// Empty: it can be done.
[[nodiscard]] std::string hindrance_of(const TrialStep& step, const Surroundings& surroundings);
// Why no act brings this event about; empty when one does.
[[nodiscard]] std::string why_unplayed(spec::Event event);

struct Speech {
  std::string octets, shown;  // `shown`: lines of a dialogue, joined by "\n"
};
// size_limit: as EHLO listed it. None when it takes a size limit and there is none.
[[nodiscard]] std::optional<Speech> speech_of(const TrialStep& step, const Surroundings& surroundings,
                                              std::uint64_t size_limit);

}  // namespace postern::audit
