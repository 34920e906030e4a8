// postern check: is this environment fit to start with, and what is dangerous in it?
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/judgement.hpp"
#include "cli/tcprules.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr int exit_fine = 0, exit_warnings = 1, exit_refused = 2;

struct Options {
  std::string file, folder, tcprules;
  FactOptions facts;
  bool is_strict = false, as_json = false;
};

struct ClassJudgement {
  TcpClass tcp_class;
  std::vector<Judgement> judgement;  // none when these clients are denied
};

// The class that holds for clients of whom no other record speaks.
bool holds_for_everybody(const TcpClass& tcp_class) { return tcp_class.address.empty() || tcp_class.address == "="; }

std::string title_of(const TcpClass& tcp_class) {
  if (tcp_class.address.empty()) return "everybody else";
  return tcp_class.address == "=" ? "everybody with a name" : "class " + tcp_class.address;
}

Variables environment_of(const Variables& base, const TcpClass& tcp_class, const std::string& path) {
  Variables variables = base;
  variables.remarks.clear();
  for (const auto& [name, value] : tcp_class.sets) variables.set(name, value);
  variables.origin = title_of(tcp_class) + " of " + path;
  return variables;
}

std::vector<ClassJudgement> judge_classes(const Policy& policy, const Comparison& comparison, const Variables& base,
                                          const Options& options) {
  std::vector<TcpClass> classes = read_tcprules(options.tcprules);
  // No record for everybody else: tcpserver lets them in, with its own environment.
  if (std::ranges::none_of(classes, [](const TcpClass& c) { return c.address.empty(); })) classes.emplace_back();
  std::vector<ClassJudgement> judged;
  for (TcpClass& tcp_class : classes) {
    ClassJudgement result{.tcp_class = std::move(tcp_class), .judgement = {}};
    if (!result.tcp_class.is_denied) {
      const Clients clients = holds_for_everybody(result.tcp_class) ? Clients::everybody : Clients::chosen;
      const Variables variables = environment_of(base, result.tcp_class, options.tcprules);
      result.judgement.push_back(judge(policy, comparison, variables, options.facts.said(), clients));
    }
    if (!result.tcp_class.problem.empty() && !result.judgement.empty()) {
      std::vector<Advice>& advice = result.judgement.front().advice;
      advice.push_back({Grade::warning, "idle_class", result.tcp_class.problem, "tcprules(1)"});
      std::ranges::stable_sort(advice, {}, &Advice::grade);
    }
    judged.push_back(std::move(result));
  }
  return judged;
}

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
  const Variables base = variables_of(options);
  if (options.tcprules.empty()) {
    const Judgement judgement = judge(policy, comparison, base, options.facts.said(), Clients::everybody);
    print(options.as_json ? dumped(to_json(policy, judgement)) : write_text(policy, judgement));
    return exit_code(judgement.worst(), options.is_strict);
  }
  Json json = {{"of", options.tcprules}, {"classes", Json::array()}};
  std::string text;
  Grade worst = Grade::note;
  for (const ClassJudgement& each : judge_classes(policy, comparison, base, options)) {
    Json entry = each.judgement.empty() ? Json{{"of", title_of(each.tcp_class)}, {"verdict", "denied"}}
                                        : to_json(policy, each.judgement.front());
    entry["address"] = each.tcp_class.address;
    json["classes"].push_back(std::move(entry));
    text += each.judgement.empty() ? title_of(each.tcp_class) + "\ndenied   by tcpserver\n\n"
                                   : write_text(policy, each.judgement.front()) + "\n";
    if (!each.judgement.empty()) worst = std::min(worst, each.judgement.front().worst());
  }
  print(options.as_json ? dumped(json) : text);
  return exit_code(worst, options.is_strict);
}

}  // namespace

void add_check(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "check",
      "Is this environment fit to start with? Says what is refused and why, what is dangerous, which settings have no\n"
      "effect, and which cell of the usual settings this is.\n"
      "\n"
      "  postern check                                   the environment of this process\n"
      "  postern check --env /service/smtpd/run          a run script, or a file of NAME=VALUE lines\n"
      "  postern check --envdir /service/smtpd/env --strict\n"
      "  postern check --env smtpd.env --tcprules /etc/tcp/smtp.cdb    each class of clients by itself\n"
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
  options->facts.add_to(*verb, "control/servercert.pem of POSTERN_HOME", "AUTH_CDB is set, or AUTH=1");
  verb->add_flag("--strict", options->is_strict, "exit code 1 when there is a danger or a warning");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return check(program.policy, *options); }; });
}

}  // namespace postern::cli
