// One file a law. A clause of `never` is unsatisfiable together with what a decision is; without any one of its
// conditions it is satisfiable, so that no proof is empty.
#include <algorithm>

#include "spec/smt.hpp"

namespace postern::spec {
namespace {

std::string check(const std::string& expected, const std::string& what, const std::string& assertions) {
  std::string label = what;
  std::ranges::replace(label, '"', '\'');
  return "(push 1)\n" + assertions + "(echo \"expect " + expected + ": " + label + "\")\n(check-sat)\n(pop 1)\n";
}

std::string assert_that(const std::string& formula) { return "(assert " + formula + ")\n"; }

// The clause, or what is left of it without one condition.
constexpr std::size_t all_of_it = ~std::size_t{0};
std::string clause_without(const Clause& clause, std::size_t left_out, const std::vector<Variable>& variables) {
  std::string out = "(and true";
  for (std::size_t i = 0; i < clause.conjuncts.size(); ++i) {
    if (i != left_out) out += " " + to_smt(clause.conjuncts[i].condition, variables);
  }
  return out + ")";
}

std::string kept(const Law& law, const std::vector<Variable>& variables) {
  std::string out = "(and true";
  for (const Clause& clause : law.never) out += "\n  (not " + clause_without(clause, all_of_it, variables) + ")";
  return out + ")";
}

std::string define(const std::string& name, const std::string& type, const std::string& value) {
  return "(define-fun " + name + " () " + type + " " + value + ")\n";
}

// A constant that is this: solvers are faster with a name for it than with its definition in every place.
std::string name(const std::string& name, const std::string& type, const std::string& value) {
  return "(declare-const " + name + " " + type + ")\n" + assert_that("(= " + name + " " + value + ")");
}

// The invariants that are needed, of the state before and of the state after.
std::string invariants(const Model& model, const Laws& laws, const std::vector<std::size_t>& needed) {
  std::vector<Variable> after = model.variables;
  for (const State& state : model.states) after[state.variable].name = "after." + after[state.variable].name;
  std::string before_text = "(and true", after_text = "(and true";
  for (const std::size_t index : needed) {
    before_text += " " + kept(laws.invariants[index], model.variables);
    after_text += " " + kept(laws.invariants[index], after);
  }
  return define("invariant", "Bool", before_text + ")") + define("invariant-after", "Bool", after_text + ")");
}

std::string induction(const Model& model) {
  std::string settings, start;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i)
    settings += " " + model.variables[i].name;
  for (const State& state : model.states) {
    const std::string& name = model.variables[state.variable].name;
    start += assert_that(joined({"(= ", name, " (start.", name, settings, "))"}));
  }
  return check("unsat", "base", start + assert_that("(not invariant)")) +
         check("unsat", "step",
               assert_that("invariant") + assert_that("happens") + assert_that("(not invariant-after)"));
}

std::string controls(const Law& law, const std::vector<Variable>& variables) {
  std::string out;
  for (const Clause& clause : law.never) {
    for (std::size_t i = 0; i < clause.conjuncts.size(); ++i) {
      if (clause.conjuncts[i].is_scope) continue;
      out +=
          check("sat", "control: not \"" + clause.conjuncts[i].text + "\" in \"" + clause.text + "\"",
                assert_that("invariant") + assert_that("happens") + assert_that(clause_without(clause, i, variables)));
    }
  }
  return out;
}

// The reply, or the event, is one of those with this column.
template <typename Row>
std::string one_of(const std::string& kind, const std::vector<Row>& rows, bool Row::* column) {
  std::string out = "(or false";
  for (const Row& row : rows) {
    if (row.*column) out += joined({" (= ", kind, " ", kind, ".", row.name, ")"});
  }
  return out + ")";
}

std::string heading(const Law& law) {
  return "; " + law.name + "\n; " + law.sentence + "\n; source: " + law.source + "\n";
}

}  // namespace

std::string smt_state(const Model& model) {
  std::string out;
  for (const Variable& variable : model.variables) {
    out += "(declare-const " + variable.name + " " + sort_of(variable) + ")\n";
    if (!variable.is_boolean) out += "(assert (is-" + sort_of(variable) + " " + variable.name + "))\n";
  }
  return out;
}

std::string smt_outcome(const Model& model, const Laws& laws, const std::string& decide) {
  std::string out = define("happens", "Bool", "(can-happen event waiting)") + name("rule", "Rule", decide) +
                    name("reply", "Reply", "(reply-of rule)") + name("code", "Code", "(code-of rule)") +
                    name("effect", "Effect", "(effect-of rule)");
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    out += name("after." + variable.name, sort_of(variable), "(next." + variable.name + " rule " + variable.name + ")");
    out += define("changed." + variable.name, "Bool", "(not (= " + variable.name + " after." + variable.name + "))");
  }
  out += define("mistake", "Bool", one_of("reply", model.replies, &ReplyText::is_mistake));
  out += define("auth_attempt", "Bool", one_of("event", model.events, &EventRow::is_auth_attempt));
  out += define("forgives", "Bool", one_of("event", model.events, &EventRow::forgives_mistakes));
  out += define("lists_capabilities", "Bool", one_of("reply", model.replies, &ReplyText::has_capability_lines));
  for (std::size_t i = 0; i < model.capabilities.size(); ++i)
    out += define(laws.words.variables[laws.words.advertised + i].name, "Bool",
                  to_smt(model.capabilities[i].condition, model.variables));
  for (const Derived& derived : model.derived) {
    if (derived.is_theorem) out += define(derived.name, "Bool", to_smt(derived.condition, model.variables));
  }
  return out;
}

std::string smt_decision(const Model& model, const Laws& laws) {
  std::string arguments;
  for (const Variable& variable : model.variables) arguments += " " + variable.name;
  return "; ---- one decision\n(declare-const event Event)\n(assert (is-Event event))\n" + smt_state(model) +
         smt_outcome(model, laws, "(decide event" + arguments + ")");
}

std::string smt_law(const Model& model, const Laws& laws, const Law& law) {
  const auto& variables = laws.words.variables;
  const std::string broken = "(not " + kept(law, variables) + ")";
  std::string out = heading(law) + smt_policy(model) + smt_decision(model, laws) + invariants(model, laws, law.by);
  if (!law.by.empty()) out += induction(model);
  out += check("unsat", "law", assert_that("invariant") + assert_that("happens") + assert_that(broken));
  if (!law.by.empty())
    out += check("sat", "control: the invariants are needed", assert_that("happens") + assert_that(broken));
  return out + controls(law, variables);
}

std::string smt_invariant(const Model& model, const Laws& laws, std::size_t index) {
  const Law& law = laws.invariants[index];
  std::vector<std::size_t> needed = law.by;
  needed.push_back(index);
  std::string out =
      heading(law) + smt_policy(model) + smt_decision(model, laws) + invariants(model, laws, needed) + induction(model);
  if (!law.by.empty()) {
    out +=
        check("sat", "control: the other invariants are needed",
              assert_that(kept(law, model.variables)) + assert_that("happens") + assert_that("(not invariant-after)"));
  }
  return out + controls(law, model.variables);
}

std::string smt_no_hole(const Model& model, const Laws& laws) {
  return "; every event that can happen is decided by a rule\n" + smt_policy(model) + smt_decision(model, laws) +
         check("unsat", "law", assert_that("happens") + assert_that("(= rule rule.none)")) +
         check("sat", "control: without \"happens\"", assert_that("(= rule rule.none)"));
}

}  // namespace postern::spec
