// A dialogue for every rule and for every state of a session: its events in their order, everything else left to the
// solver.
#include <algorithm>
#include <bit>
#include <map>

#include "spec/smt.hpp"
#include "spec/verify.hpp"

namespace postern::spec {
namespace {

// Per goal the simplest configuration that reaches it, and there the shortest way.
class Nearest {
 public:
  void offer(const Model& model, std::uint64_t word, std::size_t event, std::size_t rule) {
    const int bits = std::popcount(word);
    if (has_ && bits > bits_) return;
    std::vector<Step> way = shortest_way(model, word);
    if (has_ && bits == bits_ && way.size() >= way_.size()) return;
    has_ = true;
    bits_ = bits;
    way_ = std::move(way);
    last_ = {word, event, rule};
  }

  [[nodiscard]] const std::vector<Step>& way() const { return way_; }
  [[nodiscard]] const Step& last() const { return last_; }

 private:
  bool has_ = false;
  int bits_ = 0;
  std::vector<Step> way_;
  Step last_{};
};

std::string at(const std::string& name, std::size_t step) { return name + "@" + std::to_string(step); }

std::string first_state(const Model& model) {
  std::string out, settings;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i) {
    out += "(declare-const " + model.variables[i].name + " Bool)\n";
    settings += " " + model.variables[i].name;
  }
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    out += "(define-fun " + at(variable.name, 0) + " () " + sort_of(variable) + " (start." + variable.name + settings +
           "))\n";
  }
  return out;
}

// The state after a step of this event: only its own rules matter.
std::string state_after(const Model& model, std::size_t step, std::size_t event) {
  std::string out;
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    std::string value = at(variable.name, step);
    for (const RuleRow& rule : model.rules) {
      const auto change = std::ranges::find(rule.then, state.variable, &Change::variable);
      if (change == rule.then.end() || std::ranges::find(rule.events, event) == rule.events.end()) continue;
      value = joined(
          {"(ite (= ", at("rule", step), " rule.", rule.id, ") ", value_of(variable, change->value), " ", value, ")"});
    }
    out += "(define-fun " + at(variable.name, step + 1) + " () " + sort_of(variable) + " " + value + ")\n";
  }
  return out;
}

// Counted facts are free at every step; settings and the other facts are those of the session.
std::string one_step(const Model& model, std::size_t step, std::size_t event) {
  std::string out = "(push 1)\n", arguments;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i) {
    const std::string& name = model.variables[i].name;
    const bool is_counted = i >= model.settings.size() && model.facts[i - model.settings.size()].is_counted;
    if (is_counted) out += "(declare-const " + at(name, step) + " Bool)\n";
    arguments += " " + (is_counted ? at(name, step) : name);
  }
  for (const State& state : model.states) arguments += " " + at(model.variables[state.variable].name, step);
  const std::string& name = model.events[event].name;
  out += "(assert (can-happen event." + name + " " + at("waiting", step) + "))\n";
  return out + "(define-fun " + at("rule", step) + " () Rule (decide." + name + arguments + "))\n" +
         state_after(model, step, event);
}

// What must hold after some events.
struct Goal {
  std::vector<std::size_t> events;
  std::string formula, what;
};

Goal rule_goal(const Model& model, const Nearest& nearest) {
  Goal goal;
  for (const Step& step : nearest.way()) goal.events.push_back(step.event);
  const std::string rule = "rule." + model.rules[nearest.last().rule].id;
  goal.formula = "(= " + at("rule", goal.events.size()) + " " + rule + ")";
  goal.events.push_back(nearest.last().event);
  goal.what = "witness for " + rule;
  return goal;
}

Goal state_goal(const Model& model, const Nearest& nearest) {
  Goal goal{.events = {}, .formula = "(and", .what = "witness for the state"};
  for (const Step& step : nearest.way()) goal.events.push_back(step.event);
  const Assignment assignment = to_assignment(nearest.last().word, model);
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    const std::string value = value_of(variable, assignment[state.variable]);
    goal.formula += " (= " + at(variable.name, goal.events.size()) + " " + value + ")";
    goal.what += " " + value;
  }
  goal.formula += ")";
  return goal;
}

std::vector<Goal> goals_of(const Model& model) {
  std::map<std::size_t, Nearest> rules;
  std::map<std::uint64_t, Nearest> states;
  const std::uint64_t configuration = configuration_bits(model) | counted_bits(model);
  static_cast<void>(explore(model, [&](std::uint64_t word, std::size_t event, const Row& row) {
    rules[row.rule].offer(model, word, event, row.rule);
    states[word & ~configuration].offer(model, word, event, row.rule);
    const std::uint64_t next =
        to_word(apply(model.rules[row.rule], to_assignment(word, model)), model.variables) & ~counted_bits(model);
    states[next & ~configuration].offer(model, next, event, row.rule);
  }));
  std::vector<Goal> goals;
  goals.reserve(rules.size() + states.size());
  for (const auto& [rule, nearest] : rules) goals.push_back(rule_goal(model, nearest));
  for (const auto& [state, nearest] : states) goals.push_back(state_goal(model, nearest));
  return goals;
}

}  // namespace

// Dialogues that begin alike share their first steps.
std::string smt_witnesses(const Model& model) {
  std::vector<Goal> goals = goals_of(model);
  std::ranges::sort(goals, {}, &Goal::events);
  std::string out =
      "; a dialogue for every rule and every state of a session\n" + smt_policy(model) + first_state(model);
  std::vector<std::size_t> told;
  for (const Goal& goal : goals) {
    const auto common = static_cast<std::size_t>(std::ranges::mismatch(told, goal.events).in1 - told.begin());
    if (told.size() > common) out += "(pop " + std::to_string(told.size() - common) + ")\n";
    for (std::size_t i = common; i < goal.events.size(); ++i) out += one_step(model, i, goal.events[i]);
    told = goal.events;
    out += "(push 1)\n(assert " + goal.formula + ")\n(echo \"expect sat: " + goal.what + "\")\n(check-sat)\n(pop 1)\n";
  }
  return out;
}

}  // namespace postern::spec
