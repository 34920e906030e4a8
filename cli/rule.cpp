// postern rule: one rule of the log explained, without the sources.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "audit/rule_witness.hpp"
#include "audit/text.hpp"
#include "base/spelling.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::string id;
  bool as_json = false;
};

std::string condition_of(const spec::RuleRow& row) {
  return row.condition_text.empty() ? "nothing before it holds" : row.condition_text;
}

// The rules that decide about one of the same events before this one can.
std::vector<const spec::RuleRow*> rules_before(const audit::Policy& policy, const spec::RuleRow& rule) {
  std::vector<const spec::RuleRow*> before;
  for (const spec::RuleRow& other : policy.model().rules) {
    const bool is_of_same = std::ranges::any_of(
        other.events, [&](std::size_t event) { return std::ranges::find(rule.events, event) != rule.events.end(); });
    if (is_of_same && other.step < rule.step) before.push_back(&other);
  }
  return before;
}

// What the names in its condition mean.
std::vector<std::string> names_in(const audit::Policy& policy, const spec::RuleRow& rule) {
  std::vector<std::string> told;
  const auto tell = [&](const std::string& name, const std::string& meaning) {
    const std::size_t at = rule.condition_text.find(name);
    if (at != std::string::npos) told.push_back(name + ": " + meaning);
  };
  for (const spec::Derived& each : policy.model().derived) tell(each.name, each.text + "; " + each.meaning);
  for (const spec::Setting& each : policy.model().settings) tell(each.name, each.meaning);
  for (const spec::Fact& each : policy.model().facts) tell(each.name, each.meaning);
  return told;
}

std::string events_of(const audit::Policy& policy, const spec::RuleRow& rule) {
  std::vector<std::string> names;
  for (const std::size_t event : rule.events) names.push_back(policy.model().events[event].name);
  return audit::joined(names, ", ");
}

std::string line(std::string name, const std::string& text) {
  name.resize(9, ' ');
  return text.empty() ? "" : audit::wrapped(name + text, "         ") + "\n";
}

std::string as_text(const audit::Policy& policy, const spec::RuleRow& rule) {
  const spec::ReplyText& reply = policy.model().replies[rule.reply];
  std::string out = line("rule", rule.id) + line("about", events_of(policy, rule)) + line("if", condition_of(rule));
  out += line("reply", reply.code == 0 ? "none" : std::to_string(reply.code) + " " + reply.text);
  out += line("because", rule.reason) + line("source", rule.source);
  for (const std::string& name : names_in(policy, rule)) out += line("where", name);
  for (const spec::RuleRow* other : rules_before(policy, rule))
    out += line("unless", other->id + " decides before it: " + condition_of(*other));
  if (const std::string shown = audit::witness_of(policy, rule.id); !shown.empty())
    out += "\nA shortest session in which it decides; `postern replay " + rule.id + "` shows each step:\n\n  " +
           audit::replaced(shown, "\n", "\n  ") + "\n";
  return out + "\nThis is policy " + std::string(spec::policy_hash().substr(0, 16)) +
         "; a line of the log with another policy= was written by another version: ask that version.\n";
}

audit::Json as_json(const audit::Policy& policy, const spec::RuleRow& rule) {
  const spec::ReplyText& reply = policy.model().replies[rule.reply];
  audit::Json json = {{"policy", spec::policy_hash()},
                      {"rule", rule.id},
                      {"events", events_of(policy, rule)},
                      {"if", rule.condition_text},
                      {"code", reply.code},
                      {"text", reply.text},
                      {"because", rule.reason},
                      {"source", rule.source},
                      {"names", names_in(policy, rule)},
                      {"before", audit::Json::array()},
                      {"session", audit::witness_of(policy, rule.id)}};
  for (const spec::RuleRow* other : rules_before(policy, rule)) json["before"].push_back(other->id);
  return json;
}

int rule_verb(const audit::Policy& policy, const Options& options) {
  const auto& rules = policy.model().rules;
  if (options.id.empty()) {
    audit::Rows rows{{"rule", "because"}};
    for (const spec::RuleRow& each : rules) rows.push_back({each.id, each.reason});
    print(audit::text_table(rows));
    return 0;
  }
  const auto found = std::ranges::find(rules, options.id, &spec::RuleRow::id);
  if (found == rules.end()) {
    std::vector<std::string> ids;
    for (const spec::RuleRow& each : rules) ids.push_back(each.id);
    const std::string question = base::question_of(options.id, ids);
    throw audit::UsageError(options.id + " is not a rule of policy " + std::string(spec::policy_hash().substr(0, 16)) +
                            (question.empty() ? "." : question) + " `postern rule` lists all of them");
  }
  print(options.as_json ? audit::dumped(as_json(policy, *found)) : as_text(policy, *found));
  return 0;
}

}  // namespace

void add_rule(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "rule",
      "Why was that refused? One rule of the log, by its id: when it decides, what it answers, its source, and\n"
      "a shortest session in which it does.\n"
      "\n"
      "  postern rule mail.starttls_first      of a line with rule=mail.starttls_first\n"
      "  postern rule                          all of them\n"
      "\n"
      "Exit code: 0; 100 there is no such rule.");
  const auto options = std::make_shared<Options>();
  verb->add_option("id", options->id, "as after rule= in the log")->type_name("ID");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return rule_verb(program.policy(), *options); }; });
}

}  // namespace postern::cli
