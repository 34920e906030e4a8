// postern replay: a dialogue without network; state, rule and reply at each step.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "audit/replaying.hpp"
#include "audit/rule_witness.hpp"
#include "audit/text.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr int exit_as_written = 0, exit_otherwise = 1;

struct Options {
  std::vector<std::string> words;
  bool as_json = false;
};

// `clear, ehlo, mail; waits for recipient`
std::string state_text(const audit::Policy& policy, spec::Guards guards) {
  std::string text;
  for (const spec::State& state : policy.model().states) {
    const spec::Variable& variable = policy.model().variables[state.variable];
    for (std::size_t value = 0; value < variable.values.size(); ++value) {
      const bool is_default = variable.values[value] == "none";
      if (!guards.has(spec::bit_of(variable, value)) || is_default) continue;
      const std::string name = variable.name == "authentication" ? "authenticated" : variable.values[value];
      text += variable.name == "waiting" ? "; waits for " + name : (text.empty() ? "" : ", ") + name;
    }
  }
  return text;
}

std::string as_text(const audit::Policy& policy, const audit::Replayed& replayed) {
  std::string out;
  std::size_t last = 0;
  for (const audit::ReplayStep& step : replayed.steps) {
    if (step.line != last) out += std::to_string(step.line) + "  " + step.said + "\n";
    last = step.line;
    out += "      rule   " + std::string(spec::name_of(step.rule)) + "  [" + policy.rule(step.rule).source + "]\n";
    if (!step.reply.empty()) out += "      reply  " + audit::replaced(step.reply, "\n", "\n             ") + "\n";
    const std::string& effect = policy.model().effects[static_cast<std::size_t>(step.effect)].name;
    if (effect != "none") out += "      effect " + effect + "\n";
    out += "      state  " + state_text(policy, step.after) + "\n";
  }
  if (!replayed.mismatch) return out + "as written: " + std::to_string(replayed.steps.size()) + " decisions\n";
  return out + "line " + std::to_string(replayed.mismatch->line) + ": the file has   " + replayed.mismatch->wanted +
         "\n" + std::string(7 + std::to_string(replayed.mismatch->line).size(), ' ') + "postern says   " +
         replayed.mismatch->found + "\n";
}

audit::Json as_json(const audit::Policy& policy, const audit::Replayed& replayed) {
  audit::Json json = {{"as_written", !replayed.mismatch.has_value()}, {"steps", audit::Json::array()}};
  for (const audit::ReplayStep& step : replayed.steps)
    json["steps"].push_back({{"line", step.line},
                             {"said", step.said},
                             {"before", state_text(policy, step.before)},
                             {"rule", spec::name_of(step.rule)},
                             {"reply", step.reply},
                             {"effect", policy.model().effects[static_cast<std::size_t>(step.effect)].name},
                             {"after", state_text(policy, step.after)}});
  if (replayed.mismatch)
    json["mismatch"] = {
        {"line", replayed.mismatch->line}, {"file", replayed.mismatch->wanted}, {"postern", replayed.mismatch->found}};
  return json;
}

// A file; or, for the id of a rule, a shortest session in which it decides.
std::expected<audit::Dialogue, std::string> find_dialogue(const audit::Policy& policy, const std::string& word,
                                                          const std::vector<std::string>& settings) {
  const bool is_rule = std::ranges::find(policy.model().rules, word, &spec::RuleRow::id) != policy.model().rules.end();
  if (!is_rule || std::filesystem::exists(word)) return audit::load_dialogue(word);
  std::optional<spec::Guards> under;
  if (!settings.empty()) under = audit::parse_configuration(policy, settings).settings_and_facts;
  const std::string text = audit::witness_of(policy, word, under);
  if (text.empty())
    return std::unexpected(word + ": no session that can be shown reaches this rule" +
                           (settings.empty() ? "" : " under these settings") + "; postern rule " + word +
                           " explains it");
  return audit::parse_dialogue(text, word);
}

int replay_verb(const audit::Policy& policy, const Options& options) {
  const std::vector<std::string> settings(options.words.begin(), options.words.end() - 1);
  auto dialogue = find_dialogue(policy, options.words.back(), settings);
  if (!dialogue) throw audit::UsageError(dialogue.error());
  if (!settings.empty()) dialogue->settings_and_facts = audit::parse_configuration(policy, settings).settings_and_facts;
  const audit::Replayed replayed = audit::replay(policy, *dialogue);
  print(options.as_json ? audit::dumped(as_json(policy, replayed)) : as_text(policy, replayed));
  return replayed.mismatch ? exit_otherwise : exit_as_written;
}

}  // namespace

void add_replay(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "replay",
      "A dialogue without network: state, rule and reply at each step. Its format is in tests/dialogues/README.md:\n"
      "  with AUTH=1 certificate     the settings and facts, unless some are given on the command line\n"
      "  C: EHLO client.example.net  the client says\n"
      "  S: 250 ok                   the server is expected to say\n"
      "  = handshake.done            what the world does; the outcome of a look-up (= recipient.ours b@example.org)\n"
      "\n"
      "  postern replay session.smtp\n"
      "  postern replay FORCE_TLS=1 AUTH=1 session.smtp      the same under other settings\n"
      "  postern replay mail.starttls_first                  a rule of the log: a shortest session in which it "
      "decides\n"
      "\n"
      "Exit code: 0 as written, 1 the server says something else, 100 the file cannot be read.");
  const auto options = std::make_shared<Options>();
  verb->add_option("words", options->words,
                   "settings that replace those of the file; then the file, or the id of a rule")
      ->required()
      ->type_name("[SETTING=VALUE...] FILE|RULE");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback([&program, options] {
    program.chosen = [&program, options] { return replay_verb(program.policy(), *options); };
  });
}

}  // namespace postern::cli
