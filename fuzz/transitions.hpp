// Transitions of the policy: which there are, which are taken, which are not.
// in      decisions: the guards before, and the event
// out     for rules, for rows of the generated table, and for changes of state (event, rule, state before, state after):
//         how many are taken of how many; then each that is not
// source  spec/policy.toml, as engine/policy.hpp reads it
#pragma once

#include <compare>
#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/policy.hpp"
#include "spec/model.hpp"

namespace postern::fuzz {

struct Change {
  spec::Event event;
  spec::Rule rule;
  std::uint64_t before, after;
  auto operator<=>(const Change&) const = default;
};

[[nodiscard]] inline std::uint64_t state_bits(const spec::Model& model) {
  std::uint64_t bits = 0;
  for (const spec::State& state : model.states) bits |= spec::bits_of(model.variables[state.variable]);
  return bits;
}

// `encrypted, greeting ehlo, ...`: the variables whose bits are set.
[[nodiscard]] inline std::string in_words(const spec::Model& model, std::uint64_t word) {
  std::string words;
  for (const spec::Variable& variable : model.variables) {
    const std::size_t values = variable.is_boolean ? 1 : variable.values.size();
    for (std::size_t value = 0; value < values; ++value) {
      const std::uint64_t bit = variable.is_boolean ? spec::bits_of(variable) : spec::bit_of(variable, value);
      if ((word & bit) == 0) continue;
      words += (words.empty() ? "" : ", ") + variable.name + (variable.is_boolean ? "" : " " + variable.values[value]);
    }
  }
  return words;
}

class Transitions {
 public:
  explicit Transitions(const spec::Model& model) : model_(model), states_(state_bits(model)) {}

  void add(spec::Guards before, spec::Event event) {
    const spec::PolicyRow& row = *engine::decide(before, event);
    rules_.insert(row.rule);
    rows_.insert({event, &row});
    // It takes 64 MiB: once is enough.
    if (event != spec::Event::data_without_end) changes_.insert(change_of(row, before, event));
  }

  [[nodiscard]] bool has(spec::Guards before, spec::Event event) const {
    const spec::PolicyRow& row = *engine::decide(before, event);
    return rows_.contains({event, &row}) &&
           (event == spec::Event::data_without_end || changes_.contains(change_of(row, before, event)));
  }
  // Each row and each change of state, a blank before it; equal ones are equal within one process.
  void list() const {
    for (const auto& [event, row] : rows_)
      std::printf(" %u.%p", static_cast<unsigned>(event), static_cast<const void*>(row));
    for (const Change& change : changes_)
      std::printf(" %u.%u.%llx.%llx", static_cast<unsigned>(change.event), static_cast<unsigned>(change.rule),
                  static_cast<unsigned long long>(change.before), static_cast<unsigned long long>(change.after));
  }
  // How many changes of state are not among these.
  [[nodiscard]] std::size_t missing_of(const Transitions& all) const { return all.changes_.size() - changes_.size(); }
  // How many of `all` are not among these.
  [[nodiscard]] std::size_t tell_missing_of(const Transitions& all) const {
    std::size_t missing = tell("rules", all.rules_, rules_, [](spec::Rule rule) { return name(rule); });
    missing += tell("rows of the table", all.rows_, rows_, [this](const Row& row) {
      return name(row.second->rule) + " at " + name(row.first) + " with " + in_words(model_, row.second->want) +
             " and not " + in_words(model_, row.second->care & ~row.second->want);
    });
    return missing + tell("changes of state", all.changes_, changes_, [this](const Change& change) {
             return name(change.rule) + " at " + name(change.event) + " from " + in_words(model_, change.before) +
                    " to " + in_words(model_, change.after & ~change.before);
           });
  }

 private:
  [[nodiscard]] Change change_of(const spec::PolicyRow& row, spec::Guards before, spec::Event event) const {
    return {event, row.rule, before.bits & states_, engine::after(row, before).bits & states_};
  }

  using Row = std::pair<spec::Event, const spec::PolicyRow*>;

  template <typename Name>
  static std::string name(Name of) {
    return std::string(spec::name_of(of));
  }

  template <typename Set, typename Say>
  static std::size_t tell(const char* what, const Set& all, const Set& taken, Say say) {
    std::vector<std::string> missing;
    for (const auto& one : all) {
      if (!taken.contains(one)) missing.push_back(say(one));
    }
    std::printf("%s: %zu of %zu\n", what, all.size() - missing.size(), all.size());
    for (const std::string& one : missing) std::printf("  not taken: %s\n", one.c_str());
    return missing.size();
  }

  const spec::Model& model_;
  std::uint64_t states_;
  std::set<spec::Rule> rules_;
  std::set<Row> rows_;
  std::set<Change> changes_;
};

}  // namespace postern::fuzz
