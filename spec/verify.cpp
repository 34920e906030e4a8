#include "spec/verify.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

namespace postern::spec {
namespace {

constexpr const char* policy_file = "policy.toml";

std::string describe(const Model& model, std::size_t event, const Assignment& assignment) {
  std::string text = model.events[event].name + " when";
  for (const std::size_t variable : support_of(model, event)) {
    const Variable& v = model.variables[variable];
    text += " " + v.name + (v.is_boolean ? "=" : " is ") + v.values[assignment[variable]];
  }
  return text;
}

void sort_by_step(const Model& model, std::vector<std::size_t>& rules) {
  std::ranges::sort(rules, {}, [&](std::size_t i) { return std::pair(model.rules[i].step, i); });
}

// Rules of this event that hold here, in the order of their steps.
std::vector<std::size_t> rules_that_hold(const Model& model, std::size_t event, const Assignment& assignment) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < model.rules.size(); ++i) {
    const RuleRow& rule = model.rules[i];
    if (std::ranges::find(rule.events, event) != rule.events.end() && holds(rule.condition, assignment))
      result.push_back(i);
  }
  sort_by_step(model, result);
  return result;
}

void find_holes_and_clashes(const Model& model, std::size_t event, Problems& problems) {
  bool has_hole = false;
  std::set<std::pair<std::size_t, std::size_t>> clashes;
  for_each_case(model, event, [&](const Assignment& assignment) {
    const auto rules = rules_that_hold(model, event, assignment);
    if (rules.empty() && !has_hole) {
      has_hole = true;
      problems.push_back(
          {"events.toml", model.events[event].line, "a hole: no rule decides " + describe(model, event, assignment)});
    }
    for (std::size_t i = 1; i < rules.size(); ++i) {
      const RuleRow& a = model.rules[rules[i - 1]];
      const RuleRow& b = model.rules[rules[i]];
      if (a.step != b.step || !clashes.insert({rules[i - 1], rules[i]}).second) continue;
      problems.push_back({policy_file, b.line,
                          "a clash: " + a.id + " and " + b.id + " have step " + std::to_string(a.step) +
                              " and both hold for " + describe(model, event, assignment)});
    }
  });
}

template <typename Rows>
void find_unused(const Rows& rows, const std::vector<bool>& used, const char* file, const char* kind,
                 Problems& problems) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!used[i])
      problems.push_back({file, rows[i].line, std::string(kind) + " \"" + rows[i].name + "\" is never used"});
  }
}

void find_unused_rows(const Model& model, Problems& problems) {
  std::vector<bool> replies(model.replies.size()), effects(model.effects.size());
  for (const RuleRow& rule : model.rules) replies[rule.reply] = effects[rule.effect] = true;
  find_unused(model.replies, replies, "replies.toml", "reply", problems);
  find_unused(model.effects, effects, "events.toml", "effect", problems);
}

void find_idle(const Model& model, const Reach& reach, Problems& problems) {
  for (std::size_t i = 0; i < model.rules.size(); ++i) {
    if (!reach.rules_that_decide[i])
      problems.push_back({policy_file, model.rules[i].line,
                          "rule \"" + model.rules[i].id + "\" never decides: no session can get there"});
  }
  for (const State& state : model.states) {
    const Variable& variable = model.variables[state.variable];
    for (std::size_t value = 0; value < variable.values.size(); ++value) {
      if ((reach.values.front() & bit_of(variable, value)) == 0)
        problems.push_back({"settings.toml", 1, variable.name + " is never " + variable.values[value]});
    }
  }
}

// The walk through every state of one configuration.
class Walk {
 public:
  Walk(const Model& model, const std::vector<std::vector<Row>>& rows, const Visit& visit, Reach& reach)
      : rows_(rows), visit_(visit), reach_(reach) {
    for (std::size_t i = 0; i < model.facts.size(); ++i) {
      if (model.facts[i].is_counted) counted_ |= bits_of(model.variables[model.settings.size() + i]);
    }
    for (const EventRow& event : model.events) {
      std::uint64_t bits = 0;
      for (const std::size_t value : event.waiting) bits |= bit_of(model.variables[model.waiting_variable()], value);
      while_.push_back(bits);
    }
    for (const RuleRow& rule : model.rules) {
      Cube change;
      for (const Change& c : rule.then) {
        change.care |= bits_of(model.variables[c.variable]);
        change.want |= bit_of(model.variables[c.variable], c.value);
      }
      changes_.push_back(change);
    }
  }

  void from(std::uint64_t start) {
    std::unordered_set<std::uint64_t> seen{start};
    std::vector<std::uint64_t> todo{start};
    while (!todo.empty()) {
      const std::uint64_t word = todo.back();
      todo.pop_back();
      ++reach_.states;
      reach_.values.front() |= word;
      // Counted facts may have any value at any time.
      for (std::uint64_t counts = counted_;; counts = (counts - 1) & counted_) {
        step(word | counts, seen, todo);
        if (counts == 0) break;
      }
    }
  }

 private:
  void step(std::uint64_t word, std::unordered_set<std::uint64_t>& seen, std::vector<std::uint64_t>& todo) {
    for (std::size_t event = 0; event < rows_.size(); ++event) {
      if ((word & while_[event]) == 0) continue;
      const auto row =
          std::ranges::find_if(rows_[event], [&](const Row& r) { return (word & r.guard.care) == r.guard.want; });
      if (row == rows_[event].end()) continue;
      ++reach_.decisions;
      reach_.rules_that_decide[row->rule] = true;
      if (visit_) visit_(word, event, *row);
      const std::uint64_t next = ((word & ~changes_[row->rule].care) | changes_[row->rule].want) & ~counted_;
      if (seen.insert(next).second) todo.push_back(next);
    }
  }

  const std::vector<std::vector<Row>>& rows_;
  const Visit& visit_;
  Reach& reach_;
  std::uint64_t counted_ = 0;
  std::vector<std::uint64_t> while_;
  std::vector<Cube> changes_;
};

}  // namespace

std::vector<std::vector<Row>> rows_of(const Model& model) {
  std::vector<std::size_t> order(model.rules.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  sort_by_step(model, order);
  std::vector<std::vector<Row>> rows(model.events.size());
  for (const std::size_t i : order) {
    for (const Cube& cube : to_cubes(model.rules[i].condition, model.variables)) {
      for (const std::size_t event : model.rules[i].events) rows[event].push_back({cube, i});
    }
  }
  return rows;
}

std::vector<std::size_t> support_of(const Model& model, std::size_t event) {
  std::vector<bool> support(model.variables.size());
  for (const RuleRow& rule : model.rules) {
    if (std::ranges::find(rule.events, event) != rule.events.end()) collect_support(rule.condition, support);
  }
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < support.size(); ++i) {
    if (support[i]) result.push_back(i);
  }
  return result;
}

void for_each_case(const Model& model, std::size_t event, const std::function<void(const Assignment&)>& see) {
  const std::size_t waiting = model.waiting_variable();
  const std::vector<std::size_t> support = support_of(model, event);
  const std::function<void(Assignment&, std::size_t)> fill = [&](Assignment& assignment, std::size_t next) {
    if (next == support.size()) return see(assignment);
    if (support[next] == waiting) return fill(assignment, next + 1);
    for (std::size_t value = 0; value < model.variables[support[next]].values.size(); ++value) {
      assignment[support[next]] = static_cast<std::uint8_t>(value);
      fill(assignment, next + 1);
    }
  };
  for (const std::size_t value : model.events[event].waiting) {
    Assignment assignment(model.variables.size(), 0);
    assignment[waiting] = static_cast<std::uint8_t>(value);
    fill(assignment, 0);
  }
}

Reach explore(const Model& model, const Visit& visit) {
  Reach reach;
  reach.rules_that_decide.resize(model.rules.size());
  reach.values.resize(1);
  const auto rows = rows_of(model);
  Walk walk(model, rows, visit, reach);
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < model.settings.size(); ++i) free.push_back(i);
  for (std::size_t i = 0; i < model.facts.size(); ++i) {
    if (!model.facts[i].is_counted) free.push_back(model.settings.size() + i);
  }
  for (std::size_t bits = 0; bits < (std::size_t{1} << free.size()); ++bits) {
    Assignment assignment(model.variables.size(), 0);
    for (std::size_t i = 0; i < free.size(); ++i) assignment[free[i]] = (bits >> i) & 1;
    walk.from(to_word(start_of(model, assignment), model.variables));
    ++reach.configurations;
  }
  return reach;
}

Reach verify(const Model& model, Problems& problems) {
  for (std::size_t event = 0; event < model.events.size(); ++event) find_holes_and_clashes(model, event, problems);
  find_unused_rows(model, problems);
  check_texts(model, problems);
  check_questions(model, problems);
  Reach reach = explore(model, nullptr);
  find_idle(model, reach, problems);
  return reach;
}

}  // namespace postern::spec
