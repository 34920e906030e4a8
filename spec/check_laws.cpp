#include "spec/check_laws.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "spec/verify.hpp"

namespace postern::spec {
namespace {

using Kind = Expression::Kind;

Expression negated(Expression inner) {
  Expression result{.kind = Kind::negation};
  result.parts.push_back(std::move(inner));
  return result;
}
Expression constant(bool value) { return value ? Expression{} : negated({}); }
Expression is(std::size_t variable, std::size_t value) {
  return {.kind = Kind::atom, .variable = variable, .value = value};
}

// What a formula says once the event and the rule are known: something about the state before alone.
class Specialised {
 public:
  Specialised(const Model& model, const Laws& laws, std::size_t event, std::size_t rule)
      : model_(model), words_(laws.words), rule_(model.rules[rule]) {
    known_ = describe(words_, {model, Assignment(model.variables.size()), event, rule});
    targets_.assign(model.variables.size(), unchanged);
    for (const Change& change : rule_.then) targets_[change.variable] = change.value;
  }

  // False when no state can fit, without building anything: most clauses speak of another event.
  [[nodiscard]] bool can_fit(const Expression& e, bool wanted = true) const {
    switch (e.kind) {
      case Kind::always: return wanted;
      case Kind::atom: return !is_known(e.variable) || (known_[e.variable] == e.value) == wanted;
      case Kind::negation: return can_fit(e.parts[0], !wanted);
      case Kind::conjunction:
      case Kind::disjunction: break;
    }
    const bool needs_both = (e.kind == Kind::conjunction) == wanted;
    const bool left = can_fit(e.parts[0], wanted);
    if (left != needs_both) return left;
    return can_fit(e.parts[1], wanted);
  }

  [[nodiscard]] std::vector<Cube> cubes(const Clause& clause) const {
    for (const Conjunct& conjunct : clause.conjuncts) {
      if (!can_fit(conjunct.condition)) return {};
    }
    Expression all;
    for (const Conjunct& conjunct : clause.conjuncts) {
      Expression both{.kind = Kind::conjunction};
      both.parts.push_back(std::move(all));
      both.parts.push_back(about_before(conjunct.condition));
      all = std::move(both);
    }
    return to_cubes(all, model_.variables);
  }

  [[nodiscard]] Expression about_before(const Expression& e) const {
    if (e.kind == Kind::atom) return atom_about_before(e);
    if (!can_fit(e, true)) return constant(false);
    if (!can_fit(e, false)) return constant(true);
    Expression result{.kind = e.kind};
    for (const Expression& part : e.parts) result.parts.push_back(about_before(part));
    return result;
  }

 private:
  static constexpr std::size_t unchanged = ~std::size_t{0};

  [[nodiscard]] bool is_known(std::size_t variable) const {
    return variable >= words_.event && variable <= words_.lists_capabilities;
  }

  [[nodiscard]] Expression atom_about_before(const Expression& e) const {
    if (e.variable < words_.after) return e;
    if (e.variable < words_.changed) return after(model_.states[e.variable - words_.after].variable, e.value);
    if (e.variable < words_.event) {
      const std::size_t state = model_.states[e.variable - words_.changed].variable;
      return targets_[state] == unchanged ? constant(false) : negated(is(state, targets_[state]));
    }
    if (is_known(e.variable)) return constant(known_[e.variable] == e.value);
    if (e.variable < words_.theorem) return model_.capabilities[e.variable - words_.advertised].condition;
    return model_.derived[e.variable - words_.theorem].condition;
  }

  [[nodiscard]] Expression after(std::size_t state, std::size_t value) const {
    return targets_[state] == unchanged ? is(state, value) : constant(targets_[state] == value);
  }

  const Model& model_;
  const Vocabulary& words_;
  const RuleRow& rule_;
  Assignment known_;
  std::vector<std::size_t> targets_;
};

struct Pattern {
  Breach::Of of;
  std::size_t index, clause;
  Cube cube;
};
using Patterns = std::vector<Pattern>;

void add(Patterns& patterns, Breach::Of of, std::size_t index, std::size_t clause, const std::vector<Cube>& cubes) {
  for (const Cube& cube : cubes) patterns.push_back({of, index, clause, cube});
}

struct FirstBreach {};
constexpr std::size_t no_rule = ~std::size_t{0};  // the start is to blame

class Check {
 public:
  Check(const Model& model, const Laws& laws, Search search) : model_(model), laws_(laws), search_(search) {
    for (std::size_t i = 0; i < laws.invariants.size(); ++i) {
      for (std::size_t c = 0; c < laws.invariants[i].never.size(); ++c) {
        Expression all;
        for (const Conjunct& conjunct : laws.invariants[i].never[c].conjuncts) {
          Expression both{.kind = Kind::conjunction};
          both.parts = {std::move(all), conjunct.condition};
          all = std::move(both);
        }
        add(invariants_, Breach::Of::invariant, i, c, to_cubes(all, model.variables));
      }
    }
    by_decision_.resize(model.events.size() * model.rules.size());
    seen_.resize(laws.possibilities.size());
  }

  using Found = std::map<std::pair<Breach::Of, std::size_t>, std::vector<Breach>>;

  Found run() {
    return until_enough([this] {
      check_starts();
      const Reach reach = explore(
          model_, [this](std::uint64_t word, std::size_t event, const Row& row) { see(word, event, row.rule); });
      static_cast<void>(reach);
      find_impossible();
    });
  }

  Found run_at(const Decisions& decisions, const std::vector<std::size_t>& rules) {
    return until_enough([&] {
      for (const std::size_t rule : rules) {
        for (const auto& [word, event] : decisions[rule]) see(word, event, rule);
      }
    });
  }

 private:
  template <typename Work>
  Found until_enough(Work work) {
    try {
      work();
    } catch (const FirstBreach&) {
      return std::move(found_);  // one is enough
    }
    return std::move(found_);
  }

  [[nodiscard]] std::size_t at(std::size_t event, std::size_t rule) const { return event * model_.rules.size() + rule; }

  [[nodiscard]] Patterns patterns_of(std::size_t event, std::size_t rule) const {
    Patterns patterns;
    const Specialised special(model_, laws_, event, rule);
    for (std::size_t i = 0; i < laws_.laws.size(); ++i) {
      for (std::size_t c = 0; c < laws_.laws[i].never.size(); ++c)
        add(patterns, Breach::Of::law, i, c, special.cubes(laws_.laws[i].never[c]));
    }
    for (std::size_t i = 0; i < laws_.possibilities.size(); ++i) {
      const Clause some{.text = {}, .conjuncts = {{{}, laws_.possibilities[i].some}}};
      add(patterns, Breach::Of::possibility, i, 0, special.cubes(some));
    }
    return patterns;
  }

  void see(std::uint64_t word, std::size_t event, std::size_t rule) {
    // Made when first needed: a search for the first breach ends before it needs most of them.
    std::optional<Patterns>& patterns = by_decision_[at(event, rule)];
    if (!patterns) patterns = patterns_of(event, rule);
    for (const Pattern& pattern : *patterns) {
      if ((word & pattern.cube.care) != pattern.cube.want) continue;
      if (pattern.of == Breach::Of::possibility)
        seen_[pattern.index].push_back(word & configuration_);
      else
        report({pattern.of, pattern.index, pattern.clause, word, event, rule});
    }
    for (const Change& change : model_.rules[rule].then)
      word = (word & ~bits_of(model_.variables[change.variable])) |
             bit_of(model_.variables[change.variable], change.value);
    check_state(word, event, rule);
  }

  void check_state(std::uint64_t word, std::size_t event, std::size_t rule) {
    for (const Pattern& pattern : invariants_) {
      if ((word & pattern.cube.care) == pattern.cube.want)
        report({pattern.of, pattern.index, pattern.clause, word, event, rule});
    }
  }

  void check_starts() {
    for (std::uint64_t bits = configuration_;; bits = (bits - 1) & configuration_) {
      const Assignment start = start_of(model_, to_assignment(bits, model_));
      check_state(to_word(start, model_.variables), 0, no_rule);
      if (bits == 0) break;
    }
  }

  void report(const Breach& breach) {
    found_[{breach.of, breach.index}].push_back(breach);
    if (search_ == Search::first_breach) throw FirstBreach{};
  }

  void find_impossible() {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      std::ranges::sort(seen_[i]);
      const auto when = to_cubes(laws_.possibilities[i].when, model_.variables);
      for (std::uint64_t bits = configuration_;; bits = (bits - 1) & configuration_) {
        if (matches(when, bits) && !std::ranges::binary_search(seen_[i], bits))
          report({Breach::Of::possibility, i, 0, bits, 0, 0});
        if (bits == 0) break;
      }
    }
  }

  const Model& model_;
  const Laws& laws_;
  Search search_;
  std::uint64_t configuration_ = configuration_bits(model_);
  Patterns invariants_;
  std::vector<std::optional<Patterns>> by_decision_;
  std::vector<std::vector<std::uint64_t>> seen_;  // per possibility: configurations in which it was met
  std::map<std::pair<Breach::Of, std::size_t>, std::vector<Breach>> found_;
};

// The simplest configuration in which the law is broken, and there the shortest dialogue.
const Breach& nearest(const Model& model, const std::vector<Breach>& breaches) {
  const Breach* best = nullptr;
  std::pair<int, std::size_t> least{};
  for (const Breach& breach : breaches) {
    const int bits = std::popcount(breach.word);
    if (best != nullptr && bits > least.first) continue;
    const std::pair<int, std::size_t> size{bits, shortest_way(model, breach.word).size()};
    if (best != nullptr && size >= least) continue;
    least = size;
    best = &breach;
  }
  return *best;
}

template <typename Rows>
std::string heading(const Rows& row) {
  return row.name + " is broken: " + row.sentence + "  (" + row.source + ")";
}

}  // namespace

const std::string& Breach::name(const Laws& laws) const {
  if (of == Of::possibility) return laws.possibilities[index].name;
  return of == Of::law ? laws.laws[index].name : laws.invariants[index].name;
}

std::vector<Breach> find_breaches(const Model& model, const Laws& laws, Search search) {
  std::vector<Breach> result;
  for (const auto& [law, breaches] : Check(model, laws, search).run())
    result.push_back(search == Search::first_breach ? breaches.front() : nearest(model, breaches));
  return result;
}

Decisions decisions_of(const Model& model) {
  Decisions decisions(model.rules.size());
  static_cast<void>(explore(model, [&](std::uint64_t word, std::size_t event, const Row& row) {
    decisions[row.rule].emplace_back(word, event);
  }));
  return decisions;
}

std::vector<Breach> find_breach_at(const Model& model, const Laws& laws, const Decisions& decisions,
                                   const std::vector<std::size_t>& rules) {
  std::vector<Breach> result;
  for (const auto& [law, breaches] : Check(model, laws, Search::first_breach).run_at(decisions, rules))
    result.push_back(breaches.front());
  return result;
}

std::string explain(const Model& model, const Laws& laws, const Breach& breach) {
  if (breach.of == Breach::Of::possibility)
    return heading(laws.possibilities[breach.index]) + "\n  no dialogue gets there with " +
           configuration_of(model, breach.word);
  const Law& law = breach.of == Breach::Of::law ? laws.laws[breach.index] : laws.invariants[breach.index];
  std::string text = heading(law) + "\n  forbidden: " + law.never[breach.clause].text + "\n  " +
                     (breach.rule == no_rule ? "the start" : "rule " + model.rules[breach.rule].id) +
                     " does it, with " + configuration_of(model, breach.word) + ":";
  std::vector<Step> way = shortest_way(model, breach.word);
  if (breach.of == Breach::Of::law) way.push_back({breach.word, breach.event, breach.rule});
  for (const Step& step : way) {
    for (const std::string& line : lines_of(model, step)) text += "\n    " + line;
  }
  return text;
}

void check_laws(const Model& model, const Laws& laws, Problems& problems) {
  for (const Breach& breach : find_breaches(model, laws, Search::every_law)) {
    const bool has_rule = breach.of != Breach::Of::possibility && breach.rule != no_rule;
    problems.push_back({has_rule ? "policy.toml" : "laws.toml", has_rule ? model.rules[breach.rule].line : 0,
                        explain(model, laws, breach)});
  }
}

}  // namespace postern::spec
