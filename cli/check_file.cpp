#include "cli/check_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cli/explanation_text.hpp"
#include "cli/serve_start.hpp"
#include "daemon/cdb_file.hpp"
#include "listener/privileges.hpp"
#include "listener/rehearsal.hpp"

namespace postern::cli {
namespace {

using listener::ListenerSettings;
constexpr const char* source = "docs/operating.md";

Advice advice_of(const listener::Notice& notice) {
  if (notice.event == "config") return {Grade::refusal, "start", notice.sentence, source};
  if (notice.event == "warning") return {Grade::warning, "start", notice.sentence, source};
  return {Grade::note, notice.event, notice.sentence, source};
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
SaidFacts facts_of(const ListenerSettings& listener, const Variables& variables) {
  SaidFacts said{.certificate = {}, .backend = {}, .relay_client = {}, .local_only = {}, .home_is_here = true};
  if (!variables.has("AUTH_CDB")) said.backend = !listener.check_program.empty();
  return said;
}

class FileJudge {
 public:
  FileJudge(const Policy& policy, const Comparison& comparison, const listener::Configuration& settings)
      : policy_(policy), comparison_(comparison), settings_(settings) {}

  [[nodiscard]] ListenerJudgement judge(const ListenerSettings& listener) const {
    const Variables variables = variables_of(listener);
    const SaidFacts said = facts_of(listener, variables);
    const bool has_classes =
        !listener.tcprules.empty() && daemon::inspect_cdb(listener.tcprules.c_str()) == daemon::CdbCondition::usable;
    const Clients clients = has_classes ? Clients::unknown : Clients::everybody;
    ListenerJudgement judged{.judgement = cli::judge(policy_, comparison_, variables, said, clients),
                             .tcprules = listener.tcprules,
                             .classes = {}};
    if (has_classes)
      judged.classes = judge_classes(policy_, comparison_, variables, {.path = listener.tcprules, .said = said});
    amend(judged.judgement, listener, said);
    for (ClassJudgement& each : judged.classes)
      for (Judgement& judgement : each.judgement) amend(judgement, listener, said);
    return judged;
  }

 private:
  void amend(Judgement& judgement, const ListenerSettings& listener, const SaidFacts& said) const {
    if (said.backend) judgement.backend_from = *said.backend ? "check_program" : "no AUTH_CDB and no check_program";
    if (!settings_.domains.empty())
      std::erase_if(judgement.advice, [](const Advice& advice) { return advice.id == "no_rcpthosts"; });
    const bool is_of_listener = judgement.title == listener.place;
    if (is_of_listener) judgement.title += ", " + where(listener);
  }

  static std::string where(const ListenerSettings& listener) {
    return listener.socket_name.empty() ? std::string(write(listener.at).view()) : "socket " + listener.socket_name;
  }

  const Policy& policy_;
  const Comparison& comparison_;
  const listener::Configuration& settings_;
};

// The start says what it refuses or warns of with the place of the listener before it.
std::vector<Advice> not_said_before(const FileJudgement& judged, const std::vector<Advice>& advice) {
  std::vector<Advice> others;
  for (const Advice& each : advice)
    if (std::ranges::none_of(judged.advice, [&](const Advice& said) { return said.text.ends_with(each.text); }))
      others.push_back(each);
  return others;
}

}  // namespace

Grade FileJudgement::worst() const {
  Grade worst = advice.empty() ? Grade::note : advice.front().grade;
  for (const ListenerJudgement& each : listeners) {
    // With tcprules nobody is served by the variables of the listener alone.
    worst = std::min(worst, each.classes.empty() ? each.judgement.worst() : worst_of(each.classes));
  }
  return worst;
}

AdviceCounts FileJudgement::counts() const {
  AdviceCounts counts{};
  count(advice, counts);
  for (const ListenerJudgement& each : listeners) {
    if (each.classes.empty()) count(not_said_before(*this, each.judgement.advice), counts);
    for (const ClassJudgement& one : each.classes)
      for (const Judgement& judgement : one.judgement) count(judgement.advice, counts);
  }
  return counts;
}

FileJudgement judge_file(const Policy& policy, const Comparison& comparison, const std::string& file) {
  FileJudgement judged{.file = file, .advice = {}, .listeners = {}};
  const auto start = start_of_file(file);
  if (!start) {
    for (const std::string& sentence : start.error())
      judged.advice.push_back({Grade::refusal, "file", sentence, source});
    return judged;
  }
  const auto notices = listener::rehearse_apart(*start);
  if (!notices) throw std::runtime_error(notices.error());
  for (const listener::Notice& notice : *notices) judged.advice.push_back(advice_of(notice));
  std::ranges::stable_sort(judged.advice, {}, &Advice::grade);
  // What could not be entered is among the advice.
  const listener::Configuration& settings = start->settings;
  [[maybe_unused]] const auto entered =
      settings.chroot.empty() ? std::expected<void, std::string>() : listener::change_root(settings.chroot);
  static_cast<void>(!::chdir(settings.home.c_str()));
  const FileJudge judge(policy, comparison, settings);
  for (const ListenerSettings& listener : settings.listeners) judged.listeners.push_back(judge.judge(listener));
  return judged;
}

std::string write_text(const Policy& policy, const FileJudgement& judgement) {
  std::string text = judgement.file + "\n" + write_text(judgement.advice) + "\n";
  for (const ListenerJudgement& each : judgement.listeners) {
    Judgement told = each.judgement;
    told.advice = not_said_before(judgement, told.advice);
    text += write_text(policy, told) + "\n";
    if (!each.classes.empty()) text += write_text(policy, each.classes);
  }
  return text;
}

Json to_json(const Policy& policy, const FileJudgement& judgement) {
  Json json = {{"of", judgement.file},
               {"verdict", judgement.worst() == Grade::refusal ? "refused" : "live"},
               {"advice", to_json(judgement.advice)},
               {"listeners", Json::array()}};
  for (const ListenerJudgement& each : judgement.listeners) {
    json["listeners"].push_back(to_json(policy, each.judgement));
    if (!each.tcprules.empty()) json["listeners"].back()["tcprules"] = each.tcprules;
    json["listeners"].back()["classes"] = to_json(policy, each.classes);
  }
  return json;
}

}  // namespace postern::cli
