#include "proptests/boxes.hpp"

#include <algorithm>

#include "spec/check_laws.hpp"

namespace postern::proptests {
namespace {

using spec::Expression;
using Kind = Expression::Kind;

constexpr std::size_t effect_component = 0, first_state = 1;
constexpr std::array counts{"a mistake", "an AUTH attempt", "forgiveness"};

Expression all_of(const std::vector<spec::Conjunct>& conjuncts) {
  Expression all;
  for (const spec::Conjunct& conjunct : conjuncts) {
    Expression both{.kind = Kind::conjunction};
    both.parts = {std::move(all), conjunct.condition};
    all = std::move(both);
  }
  return all;
}

Boxes meet(const Boxes& one, const Boxes& other) {
  Boxes result;
  for (const Box& a : one) {
    for (const Box& b : other) {
      Box both;
      bool is_empty = false;
      for (std::size_t i = 0; i < most_components; ++i) {
        both[i] = a[i] & b[i];
        is_empty = is_empty || both[i].none();
      }
      if (!is_empty && std::ranges::find(result, both) == result.end()) result.push_back(both);
    }
  }
  return result;
}

Boxes join(Boxes one, const Boxes& other) {
  for (const Box& box : other) {
    if (std::ranges::find(one, box) == one.end()) one.push_back(box);
  }
  return one;
}

}  // namespace

Expression said_after(Expression e, const spec::Model& model, const spec::Vocabulary& words) {
  for (std::size_t i = 0; e.kind == Kind::atom && i < model.states.size(); ++i) {
    if (model.states[i].variable != e.variable) continue;
    e.variable = words.after + i;
    break;
  }
  for (Expression& part : e.parts) part = said_after(std::move(part), model, words);
  return e;
}

Forbidden::Forbidden(const spec::Model& model, const spec::Laws& laws)
    : model_(model), words_(laws.words), sizes_{model.effects.size()}, boxes_(1) {
  for (const spec::State& state : model.states) sizes_.push_back(model.variables[state.variable].values.size());
  sizes_.resize(sizes_.size() + model.capabilities.size() + counts.size(), 2);
  sizes_.push_back(model.replies.size());
  for (std::size_t i = 0; i < most_components; ++i) {
    for (std::size_t value = 0; value < (i < sizes_.size() ? sizes_[i] : 1); ++value) whole_[i].set(value);
  }
  for (const spec::Law& law : laws.laws) {
    for (const spec::Clause& clause : law.never) clauses_.push_back({law.name, clause.text, all_of(clause.conjuncts)});
  }
  laws_ = clauses_.size();
  for (const spec::Law& law : laws.invariants) {
    for (const spec::Clause& clause : law.never)
      clauses_.push_back({law.name, clause.text, said_after(all_of(clause.conjuncts), model, words_)});
  }
  known_.resize(clauses_.size() * model.events.size());
  alike_.resize(model.events.size());
  for (std::size_t at = 0; at < known_.size(); ++at) {
    const Expression& condition = clauses_[at / model.events.size()].condition;
    known_[at].can_fit = can_fit(condition, true, at % model.events.size());
    collect_care(condition, known_[at].care);
    if (!known_[at].can_fit) continue;
    std::vector<Alike>& all = alike_[at % model.events.size()];
    auto found = std::ranges::find(all, known_[at].care, &Alike::care);
    if (found == all.end()) found = all.insert(all.end(), {.care = known_[at].care});
    found->clauses.push_back(at / model.events.size());
  }
}

std::string Forbidden::name(std::size_t component, std::size_t value) const {
  if (component == effect_component) return "effect " + model_.effects[value].name;
  if (component == reply_component()) return "reply " + model_.replies[value].name;
  if (component >= first_count())
    return (value == 1 ? "counts as " : "does not count as ") + std::string(counts[component - first_count()]);
  const std::size_t capability = component - first_state - model_.states.size();
  if (is_capability(component))
    return (value == 1 ? "lists " : "does not list ") + model_.capabilities[capability].text;
  const spec::Variable& variable = model_.variables[model_.states[component - first_state].variable];
  return variable.name + " := " + variable.values[value];
}

void Forbidden::set_capabilities(Outcome& outcome, const spec::Assignment& before) const {
  for (std::size_t i = 0; i < model_.capabilities.size(); ++i)
    outcome[first_state + model_.states.size() + i] = holds(model_.capabilities[i].condition, before) ? 1 : 0;
}

Outcome Forbidden::outcome_of(std::size_t event, std::size_t rule, const spec::Assignment& before) const {
  const spec::Assignment values = apply(model_.rules[rule], before);
  Outcome outcome{};
  outcome[effect_component] = model_.rules[rule].effect;
  outcome[reply_component()] = model_.rules[rule].reply;
  for (std::size_t i = 0; i < model_.states.size(); ++i) outcome[first_state + i] = values[model_.states[i].variable];
  set_capabilities(outcome, before);
  outcome[first_count()] = model_.replies[model_.rules[rule].reply].is_mistake ? 1 : 0;
  outcome[first_count() + 1] = model_.events[event].is_auth_attempt ? 1 : 0;
  outcome[first_count() + 2] = model_.events[event].forgives_mistakes ? 1 : 0;
  return outcome;
}

Outcome Forbidden::outcome_of_start(const spec::Assignment& configuration) const {
  const spec::Assignment start = start_of(model_, configuration);
  Outcome outcome{};
  for (std::size_t i = 0; i < model_.states.size(); ++i) outcome[first_state + i] = start[model_.states[i].variable];
  return outcome;
}

Boxes Forbidden::boxes_of(const Expression& condition, std::size_t event, const spec::Assignment& before) const {
  if (!can_fit(condition, true, event)) return {};
  return fold(condition, true, event, before);
}

std::size_t Forbidden::number_of(std::size_t clause, std::size_t event, std::uint64_t word) {
  Known& known = known_[clause * model_.events.size() + event];
  if (!known.can_fit) return 0;
  const auto [found, is_new] = known.numbers.try_emplace(word & known.care, 0);
  if (is_new) found->second = number(fold(clauses_[clause].condition, true, event, to_assignment(word, model_)));
  return found->second;
}

std::vector<std::size_t> Forbidden::numbers_of(std::size_t event, std::uint64_t word) {
  std::vector<std::size_t> all(clauses_.size());
  for (Alike& alike : alike_[event]) {
    std::vector<std::size_t>& numbers = alike.numbers[word & alike.care];
    if (numbers.empty()) {
      for (const std::size_t clause : alike.clauses) numbers.push_back(number_of(clause, event, word));
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) all[alike.clauses[i]] = numbers[i];
  }
  return all;
}

std::uint64_t Forbidden::care_of(std::size_t event) const {
  std::uint64_t care = 0;
  for (std::size_t at = event; at < known_.size(); at += model_.events.size()) care |= known_[at].care;
  for (const spec::State& state : model_.states) care |= bits_of(model_.variables[state.variable]);
  return care;
}

std::size_t Forbidden::number(Boxes boxes) {
  if (boxes.empty()) return 0;
  std::string text;
  for (const Box& box : boxes) {
    for (std::size_t i = 0; i < sizes_.size(); ++i) text += box[i].to_string().substr(128 - sizes_[i]);
  }
  const auto [found, is_new] = number_by_text_.try_emplace(std::move(text), boxes_.size());
  if (is_new) boxes_.push_back(std::move(boxes));
  return found->second;
}

bool Forbidden::can_fit(const Expression& e, bool wanted, std::size_t event) const {
  if (e.kind == Kind::always) return wanted;
  if (e.kind == Kind::atom) return e.variable != words_.event || (e.value == event) == wanted;
  if (e.kind == Kind::negation) return can_fit(e.parts[0], !wanted, event);
  const bool needs_both = (e.kind == Kind::conjunction) == wanted;
  const bool left = can_fit(e.parts[0], wanted, event);
  return left != needs_both ? left : can_fit(e.parts[1], wanted, event);
}

void Forbidden::collect_care(const Expression& e, std::uint64_t& care) const {
  for (const Expression& part : e.parts) collect_care(part, care);
  if (e.kind != Kind::atom) return;
  if (e.variable < words_.after) {
    care |= bits_of(model_.variables[e.variable]);
  } else if (e.variable >= words_.changed && e.variable < words_.event) {
    care |= bits_of(model_.variables[model_.states[e.variable - words_.changed].variable]);
  } else if (e.variable >= words_.theorem) {
    collect_care(model_.derived[e.variable - words_.theorem].condition, care);
  }
}

Boxes Forbidden::slice(std::size_t component, const Mask& mask) const {
  Box box = whole_;
  box[component] &= mask;
  if (box[component].none()) return {};
  return {box};
}

Boxes Forbidden::atom(const Expression& e, bool wanted, std::size_t event, const spec::Assignment& before) const {
  const auto constant = [&](bool value) { return value == wanted ? Boxes{whole_} : Boxes{}; };
  if (e.variable < words_.after) return constant(before[e.variable] == e.value);
  if (e.variable == words_.event) return constant(event == e.value);
  if (e.variable >= words_.theorem)
    return constant(holds(model_.derived[e.variable - words_.theorem].condition, before) == (e.value == 1));
  const auto [component, mask] = meant_by(e, before);
  return slice(component, wanted ? mask : ~mask);
}

// The component that it names, and the values there that it means.
std::pair<std::size_t, Mask> Forbidden::meant_by(const Expression& e, const spec::Assignment& before) const {
  Mask mask;
  mask.set(e.value);
  if (e.variable >= words_.advertised)
    return {first_state + model_.states.size() + e.variable - words_.advertised, mask};
  if (e.variable < words_.changed) return {first_state + e.variable - words_.after, mask};
  if (e.variable < words_.event) {
    mask.reset();
    mask.set(before[model_.states[e.variable - words_.changed].variable]);
    return {first_state + e.variable - words_.changed, e.value == 1 ? ~mask : mask};
  }
  if (e.variable == words_.effect) return {effect_component, mask};
  if (e.variable == words_.mistake) return {first_count(), mask};
  if (e.variable == words_.auth_attempt) return {first_count() + 1, mask};
  if (e.variable == words_.forgives) return {first_count() + 2, mask};
  return {reply_component(), replies_of(e)};
}

// Those of this name, of this code, or that list the capabilities.
Mask Forbidden::replies_of(const Expression& e) const {
  Mask mask;
  for (std::size_t i = 0; i < model_.replies.size(); ++i) {
    const spec::ReplyText& reply = model_.replies[i];
    if (e.variable == words_.reply)
      mask.set(i, i == e.value);
    else if (e.variable == words_.code)
      mask.set(i, std::to_string(reply.code) == words_.variables[words_.code].values[e.value]);
    else
      mask.set(i, reply.has_capability_lines == (e.value == 1));
  }
  return mask;
}

Boxes Forbidden::fold(const Expression& e, bool wanted, std::size_t event, const spec::Assignment& before) const {
  if (e.kind == Kind::atom) return atom(e, wanted, event, before);
  if (e.kind == Kind::negation) return fold(e.parts[0], !wanted, event, before);
  if (e.kind == Kind::always) return wanted ? Boxes{whole_} : Boxes{};
  const bool needs_both = (e.kind == Kind::conjunction) == wanted;
  Boxes left = fold(e.parts[0], wanted, event, before);
  if (needs_both && left.empty()) return left;
  const Boxes right = fold(e.parts[1], wanted, event, before);
  return needs_both ? meet(left, right) : join(std::move(left), right);
}

}  // namespace postern::proptests
