// postern check: is this environment fit to start with, and what is dangerous in it?
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "audit/text.hpp"
#include "cli/check_file.hpp"
#include "cli/dns_check.hpp"
#include "cli/policy_check.hpp"
#include "cli/verbs.hpp"
#include "config/variables.hpp"

namespace postern::cli {
namespace {

constexpr int exit_fine = 0, exit_dangers = 1, exit_refused = 2;

struct Options {
  std::string config, file, folder, tcprules;
  FactOptions facts;
  bool is_strict = false, as_json = false;
};

int exit_code(audit::Grade worst, bool is_strict) {
  if (worst == audit::Grade::refusal) return exit_refused;
  const bool counts = worst == audit::Grade::danger || (is_strict && worst == audit::Grade::warning);
  return counts ? exit_dangers : exit_fine;
}

// `2 dangers`; nothing for none.
std::string count_of(const audit::AdviceCounts& counts, audit::Grade grade) {
  const std::size_t count = counts[static_cast<std::size_t>(grade)];
  return count == 0 ? "" : std::to_string(count) + " " + std::string(audit::name_of(grade)) + (count == 1 ? "" : "s");
}

// A summary of what was said. `refused`: the classes of clients that a start refuses which is otherwise fine.
struct Verdict {
  audit::AdviceCounts counts{};
  std::vector<std::string> refused;
};

std::string refusal_sentence(const Verdict& verdict) {
  constexpr std::size_t most_named = 3;
  if (verdict.refused.empty()) return "refused: it would not start";
  const std::size_t named = std::min(verdict.refused.size(), most_named);
  const std::vector<std::string> first(verdict.refused.begin(),
                                       verdict.refused.begin() + static_cast<std::ptrdiff_t>(named));
  const std::size_t others = verdict.refused.size() - named;
  return "refused: it would start, and refuse the clients of " + audit::joined(first, ", ") +
         (others == 0 ? "" : " and " + std::to_string(others) + " more");
}

std::string verdict_line(const Verdict& verdict, int code) {
  const audit::AdviceCounts& counts = verdict.counts;
  std::vector<std::string> parts;
  for (const audit::Grade grade : {audit::Grade::refusal, audit::Grade::danger, audit::Grade::warning})
    if (std::string part = count_of(counts, grade); !part.empty()) parts.push_back(std::move(part));
  const bool is_dangerous = counts[static_cast<std::size_t>(audit::Grade::danger)] != 0;
  const std::string said = code == exit_refused ? refusal_sentence(verdict)
                           : is_dangerous       ? "dangerous: it would start, but read the dangers above"
                                                : "fit to start";
  const std::string found = parts.empty() ? "no objection" : audit::joined(parts, ", ");
  return "verdict  " + said + "; " + found + " (exit code " + std::to_string(code) + ")\n";
}

int tell(const std::string& text, const audit::Json& json, const Verdict& verdict, const Options& options) {
  audit::Grade worst = audit::Grade::note;
  for (const audit::Grade grade : {audit::Grade::warning, audit::Grade::danger, audit::Grade::refusal})
    if (verdict.counts[static_cast<std::size_t>(grade)] != 0) worst = grade;
  const int code = exit_code(worst, options.is_strict);
  print(options.as_json ? audit::dumped(json) : text + verdict_line(verdict, code));
  return code;
}

Variables variables_of(const Options& options) {
  if (!options.file.empty()) return read_environment_file(options.file);
  return options.folder.empty() ? process_environment() : read_environment_folder(options.folder);
}

void must_be_readable(const std::string& file) {
  if (std::filesystem::is_directory(file)) throw audit::UsageError(file + ": is a folder; name the file in it");
  if (const std::ifstream stream(file); !stream)
    throw audit::UsageError(file + ": cannot be read: " + std::strerror(errno));
}

// Among the variables of this process are those of many programs: they are asked about as postern-smtpd asks.
std::vector<std::string> misspellings_of(const Variables& base, const Options& options) {
  if (options.file.empty() && options.folder.empty())
    return config::misspellings_in(base::Environment(base.environment().data()));
  std::vector<std::string> sentences;
  for (const std::string& each : base.strings)
    if (auto sentence = config::misspelling(each.substr(0, each.find('=')))) sentences.push_back(std::move(*sentence));
  return sentences;
}

int check(const audit::Policy& policy, const Options& options) {
  const audit::Comparison comparison(policy);
  if (!options.config.empty()) {
    must_be_readable(options.config);
    const FileJudgement judged = judge_file(policy, comparison, options.config);
    return tell(write_text(policy, judged), to_json(policy, judged),
                {.counts = judged.counts(), .refused = judged.refused_classes()}, options);
  }
  const Variables base = variables_of(options);
  Verdict verdict;
  if (options.tcprules.empty()) {
    Judgement judgement = judge(policy, comparison, base, options.facts.said(), audit::Clients::everybody);
    warn_of_misspellings(judgement.advice, misspellings_of(base, options));
    advise_on_dns_lists(base, judgement.advice);
    advise_on_services(base, judgement.advice);
    audit::count(judgement.advice, verdict.counts);
    return tell(write_text(policy, judgement), to_json(policy, judgement), verdict, options);
  }
  auto classes = judge_classes(policy, comparison, base, {.path = options.tcprules, .said = options.facts.said()});
  for (ClassJudgement& each : classes)
    for (Judgement& judgement : each.judgement) warn_of_misspellings(judgement.advice, misspellings_of(base, options));
  advise_on_services(base, classes);
  count(classes, verdict.counts);
  if (RefusedClasses refused = refused_classes(classes); !refused.are_all) verdict.refused = std::move(refused.titles);
  const audit::Json json = {{"of", options.tcprules}, {"classes", to_json(policy, classes)}};
  return tell(write_text(policy, classes), json, verdict, options);
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
      "  postern check --env smtpd.env --tcprules /etc/tcp/smtp.cdb    each class of clients separately\n"
      "  postern check -c /etc/postern/postern.toml      all of what `postern serve -c` would refuse, and each "
      "listener\n"
      "\n"
      "The last line is the verdict. Exit code: 0 fit to start, 1 a danger, or with --strict a warning, 2 the start "
      "would "
      "be refused, or the clients of a class, 100 cannot be read.");
  const auto options = std::make_shared<Options>();
  CLI::Option* file =
      verb->add_option("--env", options->file, "variables from a file or run script")->type_name("FILE");
  verb->add_option("--envdir", options->folder, "variables from a folder, one file each")
      ->type_name("DIR")
      ->excludes(file);
  verb->add_option("--tcprules", options->tcprules, "and each class of a tcprules cdb on top of them")
      ->type_name("CDB");
  CLI::Option* config = verb->add_option("-c,--config", options->config,
                                         "a file of postern serve; only --strict and --json may go with it")
                            ->type_name("FILE");
  options->facts.add_to(*verb, "control/servercert.pem of POSTERN_HOME", "AUTH_CDB is set, or AUTH=1");
  for (CLI::Option* option : verb->get_options())
    if (option != config && option != verb->get_help_ptr()) option->excludes(config);
  verb->add_flag("--strict", options->is_strict, "exit code 1 for a warning, too");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return check(program.policy(), *options); }; });
}

}  // namespace postern::cli
