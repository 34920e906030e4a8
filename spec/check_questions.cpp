// Each question is asked in one way, waited for in one state, and has an answer for when there is nobody to ask.
#include <algorithm>

#include "spec/verify.hpp"

namespace postern::spec {
namespace {

constexpr const char* events_file = "events.toml";
constexpr const char* policy_file = "policy.toml";

bool leads_to(const Model& model, const RuleRow& rule, std::size_t waits) {
  return std::ranges::any_of(rule.then, [&](const Change& change) {
    return change.variable == model.waiting_variable() && change.value == waits;
  });
}

void check_way_in(const Model& model, const QuestionText& question, Problems& problems) {
  const std::string& waits = model.variables[model.waiting_variable()].values[question.waits];
  for (const RuleRow& rule : model.rules) {
    const bool asks = rule.effect == question.effect;
    if (asks == leads_to(model, rule, question.waits)) continue;
    problems.push_back(
        {policy_file, rule.line,
         asks ? "rule \"" + rule.id + "\" asks for " + question.name + ", and does not wait for the answer"
              : "rule \"" + rule.id + "\" waits for " + waits + ", and nothing is asked"});
  }
}

void check_nobody(const Model& model, const QuestionText& question, Problems& problems) {
  const EventRow& nobody = model.events[question.nobody];
  if (!model.answers(nobody, question))
    problems.push_back({events_file, question.line, nobody.name + " is no answer to the question " + question.name});
  for (const RuleRow& rule : model.rules) {
    const bool decides = std::ranges::find(rule.events, question.nobody) != rule.events.end();
    const unsigned code = model.replies[rule.reply].code;
    if (decides && (code < 400 || code > 499))
      problems.push_back({policy_file, rule.line,
                          "rule \"" + rule.id + "\" must answer 4yz: " + nobody.name +
                              " is what holds when there is nobody to ask for " + question.name});
  }
}

void check_seconds(const QuestionText& question, Problems& problems) {
  constexpr unsigned most = 3600;  // RFC 5321 4.5.3.2: clients have gone by then
  if (question.seconds > most)
    problems.push_back(
        {events_file, question.line,
         "the question " + question.name + " may wait for " + std::to_string(most) + " seconds at most"});
}

// Neither an effect nor a state is of two questions.
void check_twins(const Model& model, const QuestionText& question, Problems& problems) {
  for (const QuestionText& other : model.questions) {
    if (&other == &question) break;
    if (other.effect == question.effect || other.waits == question.waits)
      problems.push_back({events_file, question.line,
                          "the questions " + other.name + " and " + question.name + " share an effect or a state"});
  }
}

}  // namespace

void check_questions(const Model& model, Problems& problems) {
  for (const QuestionText& question : model.questions) {
    check_way_in(model, question, problems);
    check_nobody(model, question, problems);
    check_seconds(question, problems);
    check_twins(model, question, problems);
  }
}

}  // namespace postern::spec
