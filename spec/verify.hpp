// What a spec must be before anything is generated from it: whole, without clashes, and with nothing idle in it.
// in      a Model that loaded without problems
// out     Reach: every state that a session can be in, for every configuration
// errors  Problems: a hole (with the state that no rule decides), a clash (with the state where two rules hold), a rule
//         that never decides, a reply or effect that no rule uses, a state value that is never reached
// source  spec/policy.toml (its head)
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "spec/model.hpp"

namespace postern::spec {

// A rule, made quick to try: the rows of one event in the order of their steps.
struct Row {
  Cube guard;
  std::size_t rule;
};
// One vector of rows an event.
[[nodiscard]] std::vector<std::vector<Row>> rows_of(const Model& model);

struct Reach {
  std::size_t configurations = 0;  // settings x facts
  std::size_t states = 0;          // (configuration, state) pairs that a session can be in
  std::size_t decisions = 0;       // (configuration, state, event) triples decided
  std::vector<bool> rules_that_decide;
  std::vector<std::uint64_t> values;  // bits of all states met, for "never reached"
};

// Calls visit(word, event, row index in rows_of(event)) for every decision of every configuration.
using Visit = std::function<void(std::uint64_t, std::size_t, const Row&)>;
[[nodiscard]] Reach explore(const Model& model, const Visit& visit);

// Calls see(assignment) for every combination of the variables that the rules of this event look at; the others are 0.
void for_each_case(const Model& model, std::size_t event, const std::function<void(const Assignment&)>& see);
// Those variables, `waiting` included when the event can happen in more than one of its values.
[[nodiscard]] std::vector<std::size_t> support_of(const Model& model, std::size_t event);

// Every text says the class of its code; part of verify().
void check_texts(const Model& model, Problems& problems);

// Each question has one way in, and answers 4yz when there is nobody to ask; part of verify().
void check_questions(const Model& model, Problems& problems);

[[nodiscard]] Reach verify(const Model& model, Problems& problems);

}  // namespace postern::spec
