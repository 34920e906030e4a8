#include "cli/check_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "audit/explanation_text.hpp"
#include "cli/dns_check.hpp"
#include "cli/policy_check.hpp"
#include "cli/serve_start.hpp"
#include "config/cdb_file.hpp"
#include "config/listener_places.hpp"
#include "server/dry_run.hpp"
#include "server/sandbox/privileges.hpp"

namespace postern::cli {
namespace {

using config::ListenerSettings;
constexpr const char* source = "docs/operating.md";

audit::Advice advice_of(const server::Notice& notice) {
  if (notice.event == "config") return {audit::Grade::refusal, "start", notice.sentence, source};
  if (notice.event == "defect") return {audit::Grade::danger, "start", notice.sentence, source};
  if (notice.event == "warning") return {audit::Grade::warning, "start", notice.sentence, source};
  return {audit::Grade::note, notice.event, std::string(notice.event) + ": " + notice.sentence, source};
}

Variables variables_of(const ListenerSettings& listener) {
  Variables variables = process_environment();
  for (const std::string& text : listener.variables) {
    const std::size_t equals = text.find('=');
    variables.set(text.substr(0, equals), text.substr(equals + 1));
  }
  variables.set("POSTERN_HOME", std::filesystem::current_path().string());
  variables.origin = listener.place;
  return variables;
}

// As serve has it: the check program is seen from here, and there is nothing beyond what is seen.
audit::SaidFacts facts_of(const ListenerSettings& listener, const Variables& variables) {
  audit::SaidFacts said{.certificate = {}, .backend = {}, .relay_client = {}, .local_only = {}, .home_is_here = true};
  if (!variables.has("AUTH_CDB")) said.backend = !listener.check_program.empty();
  return said;
}

class FileJudge {
 public:
  FileJudge(const audit::Policy& policy, const audit::Comparison& comparison, const config::Configuration& settings)
      : policy_(policy), comparison_(comparison), settings_(settings) {}

  [[nodiscard]] ListenerJudgement judge(const ListenerSettings& listener) const {
    Variables variables = variables_of(listener);
    variables.set("POSTERN_DNS", settings_.dns);
    const audit::SaidFacts said = facts_of(listener, variables);
    const bool has_classes =
        !listener.tcprules.empty() &&
        config::inspect_cdb(listener.tcprules.c_str(), config::CdbLook::whole) == config::CdbCondition::usable;
    const audit::Clients clients = has_classes ? audit::Clients::unknown : audit::Clients::everybody;
    ListenerJudgement judged{.judgement = cli::judge(policy_, comparison_, variables, said, clients),
                             .tcprules = listener.tcprules,
                             .classes = {}};
    if (has_classes)
      judged.classes = judge_classes(policy_, comparison_, variables, {.path = listener.tcprules, .said = said});
    advise_on_dns_lists(variables, judged.judgement.advice);
    amend(judged.judgement, listener, said);
    for (ClassJudgement& each : judged.classes)
      for (Judgement& judgement : each.judgement) amend(judgement, listener, said);
    return judged;
  }

 private:
  void amend(Judgement& judgement, const ListenerSettings& listener, const audit::SaidFacts& said) const {
    if (settings_.looks_up_names) judgement.asked.push_back(config::client_names_in_force());
    if (said.backend) judgement.backend_from = *said.backend ? "check_program" : "no AUTH_CDB and no check_program";
    if (!settings_.domains.empty())
      std::erase_if(judgement.advice, [](const audit::Advice& advice) { return advice.id == "no_rcpthosts"; });
    const bool is_of_listener = judgement.title == listener.place;
    if (is_of_listener) judgement.title += ", " + where(listener);
    for (audit::Advice& advice : judgement.advice)
      advice.text = config::without_place(listener, std::move(advice.text));
  }

  static std::string where(const ListenerSettings& listener) {
    return listener.socket_name.empty() ? std::string(base::write(listener.at).view())
                                        : "socket " + listener.socket_name;
  }

  const audit::Policy& policy_;
  const audit::Comparison& comparison_;
  const config::Configuration& settings_;
};

// [variables] may say it for listeners that ask no service; so one that does is enough.
void advise_on_idle_policy_failure(const config::Configuration& settings, FileJudgement& judged) {
  std::vector<Variables> all;
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    all.push_back(variables_of(settings.listeners[i]));
    const Variables base = all.back();
    for (const ClassJudgement& each : judged.listeners[i].classes) all.push_back(with_class(base, each));
  }
  if (!is_failure_of_no_policy_service(all)) return;
  judged.advice.push_back(failure_of_no_policy_service());
  std::ranges::stable_sort(judged.advice, {}, &audit::Advice::grade);
}

// The same of a service that is asked about nobody.
void advise_on_policy_service_for_nobody(const config::Configuration& settings, FileJudgement& judged) {
  std::vector<Variables> all;
  for (std::size_t i = 0; i < settings.listeners.size(); ++i)
    std::ranges::move(served_with(variables_of(settings.listeners[i]), judged.listeners[i].classes),
                      std::back_inserter(all));
  if (!is_policy_service_for_nobody(all)) return;
  judged.advice.push_back(policy_service_for_nobody());
  std::ranges::stable_sort(judged.advice, {}, &audit::Advice::grade);
}

// The start says what it refuses or warns of with the place of the listener before it.
std::vector<audit::Advice> not_said_before(const FileJudgement& judged, const std::vector<audit::Advice>& advice) {
  std::vector<audit::Advice> others;
  for (const audit::Advice& each : advice)
    if (std::ranges::none_of(judged.advice, [&](const audit::Advice& said) { return said.text.ends_with(each.text); }))
      others.push_back(each);
  return others;
}

}  // namespace

audit::Grade FileJudgement::worst() const {
  audit::Grade worst = advice.empty() ? audit::Grade::note : advice.front().grade;
  for (const ListenerJudgement& each : listeners) {
    // With tcprules the variables of the listener alone serve no client.
    worst = std::min(worst, each.classes.empty() ? each.judgement.worst() : worst_of(each.classes));
  }
  return worst;
}

bool FileJudgement::is_start_refused() const {
  if (!advice.empty() && advice.front().grade == audit::Grade::refusal) return true;
  return std::ranges::any_of(listeners, [](const ListenerJudgement& each) {
    return each.classes.empty() && each.judgement.worst() == audit::Grade::refusal;
  });
}

std::vector<std::string> FileJudgement::refused_classes() const {
  std::vector<std::string> titles;
  if (is_start_refused()) return titles;
  for (const ListenerJudgement& each : listeners)
    std::ranges::move(cli::refused_classes(each.classes).titles, std::back_inserter(titles));
  return titles;
}

audit::AdviceCounts FileJudgement::counts() const {
  audit::AdviceCounts counts{};
  audit::count(advice, counts);
  for (const ListenerJudgement& each : listeners) {
    if (each.classes.empty()) audit::count(not_said_before(*this, each.judgement.advice), counts);
    for (const ClassJudgement& one : each.classes)
      for (const Judgement& judgement : one.judgement) audit::count(judgement.advice, counts);
  }
  return counts;
}

FileJudgement judge_file(const audit::Policy& policy, const audit::Comparison& comparison, const std::string& file) {
  FileJudgement judged{.file = file, .advice = {}, .listeners = {}};
  const auto start = start_of_file(file);
  if (!start) {
    for (const std::string& sentence : start.error())
      judged.advice.push_back({audit::Grade::refusal, "file", sentence, source});
    return judged;
  }
  const auto notices = server::dry_run_apart(*start, server::Services::asked);
  if (!notices) throw std::runtime_error(notices.error());
  for (const server::Notice& notice : *notices) judged.advice.push_back(advice_of(notice));
  std::ranges::stable_sort(judged.advice, {}, &audit::Advice::grade);
  // What could not be entered is among the advice.
  const config::Configuration& settings = start->settings;
  [[maybe_unused]] const auto entered =
      settings.chroot.empty() ? std::expected<void, std::string>() : server::change_root(settings.chroot);
  static_cast<void>(!::chdir(settings.home.c_str()));
  const FileJudge judge(policy, comparison, settings);
  for (const ListenerSettings& listener : settings.listeners) judged.listeners.push_back(judge.judge(listener));
  advise_on_idle_policy_failure(settings, judged);
  advise_on_policy_service_for_nobody(settings, judged);
  return judged;
}

std::string write_text(const audit::Policy& policy, const FileJudgement& judgement) {
  std::string text = judgement.file + "\n" + audit::write_text(judgement.advice) + "\n";
  for (const ListenerJudgement& each : judgement.listeners) {
    Judgement told = each.judgement;
    told.advice = not_said_before(judgement, told.advice);
    text += write_text(policy, told) + "\n";
    if (!each.classes.empty()) text += write_text(policy, each.classes);
  }
  return text;
}

audit::Json to_json(const audit::Policy& policy, const FileJudgement& judgement) {
  audit::Json json = {{"of", judgement.file},
                      {"verdict", judgement.is_start_refused() ? "refused" : "live"},
                      {"advice", audit::to_json(judgement.advice)},
                      {"listeners", audit::Json::array()}};
  for (const ListenerJudgement& each : judgement.listeners) {
    json["listeners"].push_back(to_json(policy, each.judgement));
    if (!each.tcprules.empty()) json["listeners"].back()["tcprules"] = each.tcprules;
    json["listeners"].back()["classes"] = to_json(policy, each.classes);
  }
  return json;
}

}  // namespace postern::cli
