// The policy and what is claimed of it as SMT-LIB 2.6, for solvers that share nothing with us.
// in      Model and Laws
// out     whole files; every check is preceded by an echo `expect sat|unsat: what`
// source  spec/laws.toml; SMT-LIB standard 2.6
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "spec/check_laws.hpp"
#include "spec/laws.hpp"

namespace postern::spec {

// Sorts, the rules as one nested ite in the order of their steps, the state after each rule, the start.
[[nodiscard]] std::string smt_policy(const Model& model);
// question.credentials.waits, .effect, .nobody: for each question what its row says.
[[nodiscard]] std::string smt_questions(const Model& model);
// Declares the state before a decision.
[[nodiscard]] std::string smt_state(const Model& model);
// Declares what a decision of `event` does, and every name that a law may use of it; `decide` is the rule.
[[nodiscard]] std::string smt_outcome(const Model& model, const Laws& laws, const std::string& decide);
// Declares one decision of any event: the state before, the event, and every name that a law may use of it.
[[nodiscard]] std::string smt_decision(const Model& model, const Laws& laws);
// One law: what its invariants need (base, step), the law, and a control a condition that must be satisfiable.
[[nodiscard]] std::string smt_law(const Model& model, const Laws& laws, const Law& law);
// The same for an invariant.
[[nodiscard]] std::string smt_invariant(const Model& model, const Laws& laws, std::size_t index);
// Every event that can happen is decided by some rule.
[[nodiscard]] std::string smt_no_hole(const Model& model, const Laws& laws);
// A dialogue to every rule, and to every state of a session.
[[nodiscard]] std::string smt_witnesses(const Model& model);

[[nodiscard]] std::string joined(std::initializer_list<std::string_view> pieces);
// A formula in these names.
[[nodiscard]] std::string to_smt(const Expression& expression, const std::vector<Variable>& variables);
[[nodiscard]] std::string sort_of(const Variable& variable);
// channel.clear; true or false of a boolean.
[[nodiscard]] std::string value_of(const Variable& variable, std::size_t value);

}  // namespace postern::spec
