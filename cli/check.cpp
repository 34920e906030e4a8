// postern check: is this environment fit to start with, and what is dangerous in it?
#include <nlohmann/json.hpp>

#include "cli/check_file.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr int exit_fine = 0, exit_warnings = 1, exit_refused = 2;

struct Options {
  std::string config, file, folder, tcprules;
  FactOptions facts;
  bool is_strict = false, as_json = false;
};

int exit_code(Grade worst, bool is_strict) {
  if (worst == Grade::refusal) return exit_refused;
  return is_strict && worst != Grade::note ? exit_warnings : exit_fine;
}

Variables variables_of(const Options& options) {
  if (!options.file.empty()) return read_environment_file(options.file);
  return options.folder.empty() ? process_environment() : read_environment_folder(options.folder);
}

int check(const Policy& policy, const Options& options) {
  const Comparison comparison(policy);
  if (!options.config.empty()) {
    const FileJudgement judged = judge_file(policy, comparison, options.config);
    print(options.as_json ? dumped(to_json(policy, judged)) : write_text(policy, judged));
    return exit_code(judged.worst(), options.is_strict);
  }
  const Variables base = variables_of(options);
  if (options.tcprules.empty()) {
    const Judgement judgement = judge(policy, comparison, base, options.facts.said(), Clients::everybody);
    print(options.as_json ? dumped(to_json(policy, judgement)) : write_text(policy, judgement));
    return exit_code(judgement.worst(), options.is_strict);
  }
  const auto classes =
      judge_classes(policy, comparison, base, {.path = options.tcprules, .said = options.facts.said()});
  print(options.as_json ? dumped({{"of", options.tcprules}, {"classes", to_json(policy, classes)}})
                        : write_text(policy, classes));
  return exit_code(worst_of(classes), options.is_strict);
}

}  // namespace

void add_check(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "check",
      "Is this environment, or this file of postern serve, fit to start with? Says what is refused and why, what is "
      "dangerous, which settings have no\n"
      "effect, and which cell of the usual settings this is.\n"
      "\n"
      "  postern check                                   the environment of this process\n"
      "  postern check --env /service/smtpd/run          a run script, or a file of NAME=VALUE lines\n"
      "  postern check --envdir /service/smtpd/env --strict\n"
      "  postern check --env smtpd.env --tcprules /etc/tcp/smtp.cdb    each class of clients by itself\n"
      "  postern check -c /etc/postern/postern.toml      all of what `postern serve -c` would refuse, and each "
      "listener\n"
      "\n"
      "Exit code: 0 fine, 1 warnings or dangers with --strict, 2 the start would be refused, 100 cannot be read.");
  const auto options = std::make_shared<Options>();
  CLI::Option* file =
      verb->add_option("--env", options->file, "variables from a file or run script")->type_name("FILE");
  verb->add_option("--envdir", options->folder, "variables from a folder, one file each")
      ->type_name("DIR")
      ->excludes(file);
  verb->add_option("--tcprules", options->tcprules, "and each class of a tcprules cdb on top of them")
      ->type_name("CDB");
  CLI::Option* config = verb->add_option("-c,--config", options->config,
                                         "a file of postern serve; of the others only --strict and --json go with it")
                            ->type_name("FILE");
  options->facts.add_to(*verb, "control/servercert.pem of POSTERN_HOME", "AUTH_CDB is set, or AUTH=1");
  for (CLI::Option* option : verb->get_options())
    if (option != config && option != verb->get_help_ptr()) option->excludes(config);
  verb->add_flag("--strict", options->is_strict, "exit code 1 when there is a danger or a warning");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return check(program.policy, *options); }; });
}

}  // namespace postern::cli
