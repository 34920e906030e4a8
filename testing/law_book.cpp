#include "testing/law_book.hpp"

#include <algorithm>
#include <cstdlib>
#include <ranges>

#include "spec/check_laws.hpp"
#include "spec/refuse.hpp"

namespace postern::testing {
namespace {

void end_at(const spec::Problems& problems) {
  if (!problems.empty()) std::exit(refuse(problems));
}

bool is_broken(const spec::Law& law, const spec::Assignment& values) {
  return std::ranges::any_of(law.never, [&](const spec::Clause& clause) {
    return std::ranges::all_of(clause.conjuncts,
                               [&](const spec::Conjunct& conjunct) { return spec::holds(conjunct.condition, values); });
  });
}

}  // namespace

LawBook::LawBook(const std::filesystem::path& folder) {
  spec::Problems problems;
  model_ = spec::load_model(folder, problems);
  end_at(problems);
  laws_ = spec::load_laws(folder, model_, problems);
  const bool is_ours =
      std::ranges::equal(model_.rules, std::views::iota(std::size_t{0}, spec::rule_count), {}, &spec::RuleRow::id,
                         [](std::size_t rule) { return spec::name_of(static_cast<spec::Rule>(rule)); });
  if (!is_ours) problems.push_back({"policy.toml", 1, "is not the policy that this program was built from"});
  end_at(problems);
}

const std::string& LawBook::broken_by(const Decision& decision) const {
  const auto key = std::pair(decision.before.bits, static_cast<std::uint16_t>(decision.event));
  const auto known = judged_.find(key);
  return known != judged_.end() ? known->second : judged_.emplace(key, judge(decision)).first->second;
}

std::string LawBook::departure(const Decision& decision) const {
  const spec::Assignment before = spec::to_assignment(decision.before.bits, model_);
  const auto rule = spec::interpret(model_, static_cast<std::size_t>(decision.event), before);
  if (!rule) return "no row for " + std::string(spec::name_of(decision.event));
  const spec::RuleRow& row = model_.rules[*rule];
  const bool is_same = *rule == static_cast<std::size_t>(decision.rule) &&
                       row.effect == static_cast<std::size_t>(decision.effect) &&
                       model_.replies[row.reply].code == decision.code &&
                       spec::to_word(spec::apply(row, before), model_.variables) == decision.after.bits;
  if (is_same) return {};
  return "by its guards rule " + row.id + " decides at " + std::string(spec::name_of(decision.event)) + ", not what " +
         std::string(spec::name_of(decision.rule)) + " did";
}

std::string LawBook::judge(const Decision& decision) const {
  const spec::Assignment before = spec::to_assignment(decision.before.bits, model_);
  const auto event = static_cast<std::size_t>(decision.event);
  const auto rule = static_cast<std::size_t>(decision.rule);
  const spec::Assignment values = spec::describe(laws_.words, {model_, before, event, rule});
  for (const spec::Law& law : laws_.invariants) {
    if (is_broken(law, before) || is_broken(law, spec::apply(model_.rules[rule], before))) return law.name;
  }
  for (const spec::Law& law : laws_.laws) {
    if (is_broken(law, values)) return law.name;
  }
  return {};
}

}  // namespace postern::testing
