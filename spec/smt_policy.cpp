// The rules as a solver reads them: from the trees of the guards, not from the rows that the engine uses.
#include <algorithm>
#include <bit>
#include <cctype>
#include <utility>

#include "spec/smt.hpp"

namespace postern::spec {
namespace {

using Kind = Expression::Kind;

std::string bits(std::size_t value, unsigned width) {
  std::string out = "#b";
  for (unsigned i = width; i-- > 0;) out += ((value >> i) & 1) != 0 ? '1' : '0';
  return out;
}

// Values as short bit-vectors with names: both solvers are fastest so.
template <typename Rows, typename Name>
std::string sort(const std::string& type, const std::string& prefix, const Rows& rows, Name name) {
  const auto width = static_cast<unsigned>(std::bit_width(rows.size() - 1));
  std::string out = "(define-sort " + type + " () (_ BitVec " + std::to_string(width) + "))\n";
  std::size_t value = 0;
  for (const auto& row : rows)
    out += joined({"(define-fun ", prefix, ".", name(row), " () ", type, " ", bits(value++, width), ")\n"});
  return out + "(define-fun is-" + type + " ((x " + type + ")) Bool (bvule x " + bits(value - 1, width) + "))\n";
}

std::string parameters(const Model& model) {
  std::string out;
  for (const Variable& variable : model.variables)
    out += (out.empty() ? "(" : " (") + variable.name + " " + sort_of(variable) + ")";
  return out;
}

std::string sorts(const Model& model) {
  const auto itself = [](const std::string& value) { return value; };
  std::string out;
  for (const Variable& variable : model.variables) {
    if (!variable.is_boolean) out += sort(sort_of(variable), variable.name, variable.values, itself);
  }
  out += sort("Event", "event", model.events, [](const EventRow& row) { return row.name; });
  out += sort("Reply", "reply", model.replies, [](const ReplyText& row) { return row.name; });
  out += sort("Effect", "effect", model.effects, [](const EffectRow& row) { return row.name; });
  const Vocabulary words = vocabulary_of(model);
  out += sort("Code", "code", words.variables[words.code].values, itself);
  std::vector<std::string> rules{"none"};
  for (const RuleRow& rule : model.rules) rules.push_back(rule.id);
  return out + sort("Rule", "rule", rules, itself);
}

// One event: the lowest step first, the first rule that holds decides.
std::string decide_event(const Model& model, const std::vector<std::size_t>& order, std::size_t event) {
  std::string out = "(define-fun decide." + model.events[event].name + " (" + parameters(model) + ") Rule\n";
  std::size_t depth = 0;
  for (const std::size_t index : order) {
    const RuleRow& rule = model.rules[index];
    if (std::ranges::find(rule.events, event) == rule.events.end()) continue;
    out += "  (ite " + to_smt(rule.condition, model.variables) + " rule." + rule.id + "\n";
    ++depth;
  }
  return out + "  rule.none" + std::string(depth, ')') + ")\n";
}

std::string decide(const Model& model) {
  std::vector<std::size_t> order(model.rules.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(model.rules[i].step, i); });
  std::string out, arguments;
  for (const Variable& variable : model.variables) arguments += " " + variable.name;
  std::string any = "(define-fun decide ((event Event) " + parameters(model) + ") Rule\n";
  for (std::size_t event = 0; event < model.events.size(); ++event) {
    out += decide_event(model, order, event);
    const std::string& name = model.events[event].name;
    any += joined({"  (ite (= event event.", name, ") (decide.", name, arguments, ")\n"});
  }
  return out + any + "  rule.none" + std::string(model.events.size(), ')') + ")\n";
}

// What each rule says of one thing, `otherwise` for the others: one ite a rule.
template <typename Of>
std::string per_rule(const Model& model, const std::string& head, const std::string& otherwise, Of of) {
  std::string out = "(define-fun " + head + "\n";
  std::size_t depth = 0;
  for (const RuleRow& rule : model.rules) {
    const std::string value = of(rule);
    if (value == otherwise) continue;
    out += "  (ite (= rule rule." + rule.id + ") " + value + "\n";
    ++depth;
  }
  return out + "  " + otherwise + std::string(depth, ')') + ")\n";
}

std::string outcomes(const Model& model) {
  std::string out =
      per_rule(model, "reply-of ((rule Rule)) Reply", "reply.none",
               [&](const RuleRow& rule) { return "reply." + model.replies[rule.reply].name; }) +
      per_rule(model, "code-of ((rule Rule)) Code", "code.0",
               [&](const RuleRow& rule) { return "code." + std::to_string(model.replies[rule.reply].code); }) +
      per_rule(model, "effect-of ((rule Rule)) Effect", "effect.none",
               [&](const RuleRow& rule) { return "effect." + model.effects[rule.effect].name; });
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    const std::string type = sort_of(variable);
    out += per_rule(model, joined({"next.", variable.name, " ((rule Rule) (", variable.name, " ", type, ")) ", type}),
                    variable.name, [&](const RuleRow& rule) {
                      const auto change = std::ranges::find(rule.then, state.variable, &Change::variable);
                      return change == rule.then.end() ? variable.name : value_of(variable, change->value);
                    });
  }
  return out;
}

// When an event can happen, and the first state of a session.
std::string world(const Model& model) {
  std::string out = "(define-fun can-happen ((event Event) (waiting Waiting)) Bool (or";
  const Variable& waiting = model.variables[model.waiting_variable()];
  for (const EventRow& event : model.events) {
    out += "\n  (and (= event event." + event.name + ") (or";
    for (const std::size_t value : event.waiting) out += " (= waiting " + value_of(waiting, value) + ")";
    out += "))";
  }
  out += "))\n";
  std::string settings;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i)
    settings += (i == 0 ? "(" : " (") + model.variables[i].name + " Bool)";
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    out += "(define-fun start." + variable.name + " (" + settings + ") " + sort_of(variable) + " ";
    for (const StartValue& start : state.start)
      out += "(ite " + to_smt(start.condition, model.variables) + " " + value_of(variable, start.value) + " ";
    out += value_of(variable, 0) + std::string(state.start.size(), ')') + ")\n";
  }
  return out;
}

}  // namespace

std::string joined(std::initializer_list<std::string_view> pieces) {
  std::string out;
  for (const std::string_view piece : pieces) out += piece;
  return out;
}

std::string sort_of(const Variable& variable) {
  if (variable.is_boolean) return "Bool";
  const std::size_t dot = variable.name.rfind('.');
  std::string name = dot == std::string::npos ? variable.name : variable.name.substr(dot + 1);
  name.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(name.front())));
  return name;
}

std::string value_of(const Variable& variable, std::size_t value) {
  if (variable.is_boolean) return value == 1 ? "true" : "false";
  const std::size_t dot = variable.name.rfind('.');
  return (dot == std::string::npos ? variable.name : variable.name.substr(dot + 1)) + "." + variable.values[value];
}

std::string to_smt(const Expression& e, const std::vector<Variable>& variables) {
  const auto part = [&](std::size_t i) { return to_smt(e.parts[i], variables); };
  switch (e.kind) {
    case Kind::always: return "true";
    case Kind::atom: {
      const Variable& variable = variables[e.variable];
      if (variable.is_boolean) return e.value == 1 ? variable.name : "(not " + variable.name + ")";
      return "(= " + variable.name + " " + value_of(variable, e.value) + ")";
    }
    case Kind::negation: return "(not " + part(0) + ")";
    case Kind::conjunction: return "(and " + part(0) + " " + part(1) + ")";
    case Kind::disjunction: return "(or " + part(0) + " " + part(1) + ")";
  }
  std::unreachable();
}

std::string smt_questions(const Model& model) {
  const Variable& waiting = model.variables[model.waiting_variable()];
  std::string out;
  for (const QuestionText& row : model.questions) {
    const std::string name = "(define-fun question." + row.name;
    out += name + ".waits () Waiting " + value_of(waiting, row.waits) + ")\n";
    out += name + ".effect () Effect effect." + model.effects[row.effect].name + ")\n";
    out += name + ".nobody () Event event." + model.events[row.nobody].name + ")\n";
    out += name + ".seconds () (_ BitVec 16) (_ bv" + std::to_string(row.seconds) + " 16))\n";
  }
  return out;
}

std::string smt_policy(const Model& model) {
  return "(set-logic QF_BV)\n; ---- the policy, from spec/*.toml\n" + sorts(model) + decide(model) + outcomes(model) +
         world(model);
}

}  // namespace postern::spec
