// postern explain: one configuration, seen by a client.
#include <nlohmann/json.hpp>

#include "audit/explanation_text.hpp"
#include "audit/json.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::vector<std::string> words;
  FactOptions facts;
  bool as_json = false;
};

int explain_verb(const audit::Policy& policy, const Options& options) {
  const audit::Configuration configuration = audit::parse_configuration(policy, options.words, options.facts.said());
  const audit::Explanation explanation = audit::explain(policy, configuration);
  const audit::Comparison comparison(policy);
  const std::vector<audit::Advice> advice = audit::advise(policy, comparison, explanation);
  const audit::PlaceInTable place = audit::place_in_table(policy, comparison.codes, configuration);
  if (options.as_json) {
    audit::Json json = audit::to_json(policy, explanation);
    json["advice"] = audit::to_json(advice);
    json["table"] = audit::to_json(place);
    print(audit::dumped(json));
    return 0;
  }
  print(audit::write_text(policy, explanation) + "\n" + audit::write_text(advice) + audit::write_text(place));
  return 0;
}

}  // namespace

void add_explain(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("explain",
                                      "What a client sees under these settings: EHLO in clear and in TLS, what is "
                                      "accepted when, and which rules decide.\n"
                                      "\n"
                                      "  postern explain FORCE_TLS=1 AUTH=1 PORT=587\n"
                                      "  postern explain 'REQUIRE_AUTH=1 AUTH=1' --certificate no\n"
                                      "  postern explain AUTH=1 ALLOW_INSECURE_AUTH=1 --json | jq .password_in_clear\n"
                                      "\n"
                                      "Exit code: 0; 100 when a setting is not understood.");
  const auto options = std::make_shared<Options>();
  verb->add_option("setting", options->words,
                   "SETTING=0 or =1, PORT=n, certificate=0|1, backend=0|1, relay_client=0|1, local_only=0|1")
      ->type_name("SETTING=VALUE...");
  options->facts.add_to(*verb, "yes", "exactly when AUTH=1");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback([&program, options] {
    program.chosen = [&program, options] { return explain_verb(program.policy(), *options); };
  });
}

}  // namespace postern::cli
