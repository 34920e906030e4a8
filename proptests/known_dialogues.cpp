#include "proptests/known_dialogues.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "spec/check_laws.hpp"
#include "testing/replay.hpp"

namespace postern::proptests {
namespace {

// Whether it is answer_of() this rule in this state; made of no strings, for it is asked often.
bool is_answer(std::string_view answer, const spec::Model& model, std::size_t rule_index, std::uint64_t word) {
  const auto take = [&](std::string_view part) {
    if (!answer.starts_with(part)) return false;
    answer.remove_prefix(part.size());
    return true;
  };
  const spec::RuleRow& rule = model.rules[rule_index];
  const spec::ReplyText& reply = model.replies[rule.reply];
  if (!take(std::to_string(reply.code)) || !take(" ") || !take(reply.text)) return false;
  if (reply.has_capability_lines) {
    const spec::Assignment state = to_assignment(word, model);
    for (const spec::Capability& capability : model.capabilities) {
      if (holds(capability.condition, state) && !(take("\n") && take(capability.text))) return false;
    }
  }
  return take("\n") && answer == model.effects[rule.effect].name;
}

bool goes_alike(const KnownDialogue& dialogue, const spec::Model& model,
                const std::vector<std::vector<spec::Row>>& rows) {
  std::uint64_t word = to_word(start_of(model, to_assignment(dialogue.settings_and_facts, model)), model.variables);
  const spec::Variable& waiting = model.variables[model.waiting_variable()];
  for (const KnownStep& step : dialogue.steps) {
    const auto& values = model.events[step.event].waiting;
    if (std::ranges::none_of(values, [&](std::size_t value) { return (word & bit_of(waiting, value)) != 0; }))
      return false;
    word |= step.counts;
    const auto row = std::ranges::find_if(rows[step.event],
                                          [&](const spec::Row& r) { return (word & r.guard.care) == r.guard.want; });
    if (row == rows[step.event].end() || !is_answer(step.answer, model, row->rule, word)) return false;
    word &= ~step.counts;
    for (const spec::Change& change : model.rules[row->rule].then) {
      const spec::Variable& variable = model.variables[change.variable];
      word = (word & ~bits_of(variable)) | bit_of(variable, change.value);
    }
  }
  return true;
}

}  // namespace

std::string answer_of(const spec::Model& model, std::size_t rule_index, std::uint64_t word) {
  const spec::RuleRow& rule = model.rules[rule_index];
  const spec::ReplyText& reply = model.replies[rule.reply];
  std::string answer = std::to_string(reply.code) + " " + reply.text;
  if (reply.has_capability_lines) {
    const spec::Assignment state = to_assignment(word, model);
    for (const spec::Capability& capability : model.capabilities) {
      if (holds(capability.condition, state)) answer += "\n" + capability.text;
    }
  }
  return answer + "\n" + model.effects[rule.effect].name;
}

std::vector<KnownDialogue> known_dialogues(const std::filesystem::path& folder, const spec::Model& model) {
  std::vector<KnownDialogue> result;
  const auto rows = rows_of(model);
  for (const audit::Dialogue& dialogue : audit::load_dialogues(folder)) {
    const testing::Replay replay = testing::replay(dialogue, {}, testing::AfterStarttls::same_session);
    if (!replay.problem.empty()) {
      std::fprintf(stderr, "%s: %s\n", dialogue.name.c_str(), replay.problem.c_str());
      std::exit(1);
    }
    KnownDialogue known{dialogue.name, dialogue.settings_and_facts.bits, {}};
    for (const testing::Decision& decision : replay.decisions) {
      const std::uint64_t word = decision.before.bits;
      known.steps.push_back({static_cast<std::size_t>(decision.event), word & counted_bits(model),
                             answer_of(model, static_cast<std::size_t>(decision.rule), word)});
    }
    if (!goes_alike(known, model, rows)) {
      std::fprintf(stderr, "%s: the engine and the interpreter disagree\n", dialogue.name.c_str());
      std::exit(1);
    }
    result.push_back(std::move(known));
  }
  return result;
}

std::string first_difference(const std::vector<KnownDialogue>& dialogues, const spec::Model& model) {
  const auto rows = rows_of(model);
  const auto other = std::ranges::find_if(
      dialogues, [&](const KnownDialogue& dialogue) { return !goes_alike(dialogue, model, rows); });
  return other == dialogues.end() ? "" : other->name;
}

}  // namespace postern::proptests
