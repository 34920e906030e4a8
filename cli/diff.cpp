// postern diff: which sessions end differently under two configurations, with a witness for each way.
#include <nlohmann/json.hpp>

#include "audit/difference.hpp"
#include "audit/explanation_text.hpp"
#include "audit/json.hpp"
#include "audit/samples.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::string a, b;
  FactOptions facts;
  bool as_json = false;
};

constexpr int exit_alike = 0, exit_different = 1;

std::vector<std::string> names_of(const std::vector<spec::Event>& events) {
  std::vector<std::string> names;
  for (const spec::Event event : events) names.emplace_back(spec::name_of(event));
  return names;
}

std::string shortened(const std::string& line) {
  constexpr std::size_t most = 80;
  return line.size() <= most ? line : line.substr(0, most) + "... (" + std::to_string(line.size()) + " octets)";
}

std::string reply_lines(const char* who, const audit::Decision& decision, bool with_rule) {
  const std::string reply = audit::Policy::reply_text(decision);
  std::string text = reply.empty() ? "(no reply)" : audit::replaced(reply, "\n", "\n       ");
  return std::string("    ") + who + " " + text + (with_rule ? "    [" + std::string(decision.rule()) + "]" : "") +
         "\n";
}

std::string dialogue_text(const audit::Policy& policy, const std::vector<audit::Told>& witness) {
  std::string out;
  for (const audit::Told& told : witness) {
    const bool is_last = &told == &witness.back();
    const bool is_counted = (told.a.before.bits & policy.counted()) != 0;
    if (is_counted) out += "    # after as many mistakes or AUTH commands as are allowed\n";
    for (const std::string& line : audit::sample_lines(told.a.event, told.a.before))
      out += "    " + shortened(line) + "\n";
    const bool is_same = audit::Policy::reply_text(told.a) == audit::Policy::reply_text(told.b);
    if (is_same && !is_last) {
      if (told.a.code() != 0) out += reply_lines("S:", told.a, false);
      continue;
    }
    out += reply_lines("A:", told.a, is_last) + reply_lines("B:", told.b, is_last);
  }
  return out;
}

std::string as_text(const audit::Policy& policy, const audit::Configuration& a, const audit::Configuration& b,
                    const audit::Difference& difference) {
  std::string out = "A: " + audit::settings_text(policy, a) + "  " + audit::facts_text(policy, a) +
                    "\nB: " + audit::settings_text(policy, b) + "  " + audit::facts_text(policy, b) + "\n\n";
  if (difference.partings.empty())
    return out + "No session is decided differently (" + std::to_string(difference.decisions) +
           " decisions compared).\n";
  out += std::to_string(difference.decisions - difference.same) + " of " + std::to_string(difference.decisions) +
         " decisions differ, in " + std::to_string(difference.partings.size()) + " ways:\n";
  std::size_t number = 0;
  for (const audit::Parting& parting : difference.partings) {
    const audit::Told& last = parting.witness.back();
    out += "\n" + std::to_string(++number) + ". " + std::string(audit::name_of(parting.change)) + ": " +
           std::string(last.a.rule()) + " -> " + std::string(last.b.rule()) + "\n";
    out += audit::wrapped("by " + audit::joined(names_of(parting.events), ", ") + "; in " +
                              std::to_string(parting.states) + (parting.states == 1 ? " state" : " states") +
                              ". Shortest:",
                          "   ") +
           "\n";
    out += dialogue_text(policy, parting.witness);
  }
  out += "\nWhat A grants\n" + audit::text_table(audit::gate_rows(audit::explain(policy, a)));
  return out + "\nWhat B grants\n" + audit::text_table(audit::gate_rows(audit::explain(policy, b)));
}

audit::Json as_json(const audit::Policy& policy, const audit::Configuration& a, const audit::Configuration& b,
                    const audit::Difference& difference) {
  audit::Json json = {{"a", audit::to_json(policy, a)},      {"b", audit::to_json(policy, b)},
                      {"decisions", difference.decisions},   {"same", difference.same},
                      {"pairs_of_states", difference.pairs}, {"partings", audit::Json::array()}};
  for (const audit::Parting& parting : difference.partings) {
    const audit::Told& last = parting.witness.back();
    json["partings"].push_back({{"change", audit::name_of(parting.change)},
                                {"events", names_of(parting.events)},
                                {"states", parting.states},
                                {"a", audit::to_json(last.a)},
                                {"b", audit::to_json(last.b)},
                                {"witness_a", audit::witness_file(policy, parting.witness, true)},
                                {"witness_b", audit::witness_file(policy, parting.witness, false)}});
  }
  return json;
}

int diff(const audit::Policy& policy, const Options& options) {
  const audit::Configuration a = audit::parse_configuration(policy, {options.a}, options.facts.said());
  const audit::Configuration b = audit::parse_configuration(policy, {options.b}, options.facts.said());
  const audit::Difference difference = audit::find_difference(policy, a.settings_and_facts, b.settings_and_facts);
  print(options.as_json ? audit::dumped(as_json(policy, a, b, difference)) : as_text(policy, a, b, difference));
  return difference.partings.empty() ? exit_alike : exit_different;
}

}  // namespace

void add_diff(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "diff",
      "Which sessions end differently under two configurations: every difference, with a shortest dialogue.\n"
      "\n"
      "  postern diff 'AUTH=1' 'AUTH=1 FORCE_TLS=1'\n"
      "  postern diff '' 'relay_client=1' --backend no\n"
      "  postern diff 'AUTH=1 certificate=1' 'AUTH=1 certificate=0' --json\n"
      "\n"
      "Exit code: 0 no session ends differently, 1 some do, 100 a configuration is not understood.");
  const auto options = std::make_shared<Options>();
  verb->add_option("A", options->a, "settings and facts, in one word")->required()->type_name("SETTING=VALUE...");
  verb->add_option("B", options->b, "the others")->required()->type_name("SETTING=VALUE...");
  options->facts.add_to(*verb, "yes", "exactly when AUTH=1");
  verb->add_flag("--json", options->as_json, "the same as JSON, witnesses as dialogue files");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return diff(program.policy(), *options); }; });
}

}  // namespace postern::cli
