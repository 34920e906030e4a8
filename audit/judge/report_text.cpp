#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "audit/judge/report.hpp"
#include "audit/text.hpp"

namespace postern::audit {
namespace {

constexpr std::array findings = {Finding::holds,     Finding::in_part, Finding::broken,
                                 Finding::not_tried, Finding::unseen,  Finding::idle};

std::string counted(std::size_t count, const std::string& what) {
  return count == 0 ? "" : std::to_string(count) + " " + what;
}

std::string joined_parts(std::vector<std::string> parts) {
  std::erase(parts, "");
  return parts.empty() ? "none" : joined(parts, ", ");
}

std::string line(std::string name, const std::string& text) {
  name.resize(10, ' ');
  return wrapped(name + text, "          ") + "\n";
}

std::string head(const Policy& policy, const ServerJudgement& judgement) {
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.1f", judgement.seconds);
  std::string out = line("server", judgement.server + (judgement.banner.empty() ? "" : " says " + judgement.banner));
  out += line("judged as",
              settings_text(policy, judgement.configuration) + "; " + facts_text(policy, judgement.configuration));
  out += line("policy", std::string(spec::policy_hash().substr(0, 16)) + "; " + std::to_string(judgement.sessions) +
                            " sessions in " + seconds.data() + " seconds");
  if (!judgement.stopped.empty()) out += line("stopped", judgement.stopped);
  out += line("laws", counts_of_laws(judgement));
  return out + line("rules", counts_of_rules(judgement));
}

std::string indented(const ServerJudgement& judgement, const std::optional<Shown>& shown) {
  const std::string dialogue = dialogue_of(judgement, shown);
  return dialogue.empty() ? "" : "            " + replaced(dialogue, "\n", "\n            ") + "\n";
}

std::string broken_law(const ServerJudgement& judgement, const LawFinding& law) {
  std::string out = "\n" + line("broken", law.name + ": " + law.sentence) + line("source", law.source);
  for (const ClauseFinding& clause : law.clauses)
    if (clause.finding == Finding::broken) out += line("clause", clause.statement) + indented(judgement, clause.shown);
  return out;
}

std::string broken_rule(const ServerJudgement& judgement, const RuleFinding& rule) {
  return "\n" + line("otherwise", rule.id + ": " + difference_of(judgement, rule)) + line("source", rule.source) +
         indented(judgement, rule.shown);
}

// What was not tried, by why it was not.
std::string not_tried(const ServerJudgement& judgement) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const LawFinding& law : judgement.laws) {
    for (const ClauseFinding& clause : law.clauses) {
      if (clause.finding != Finding::not_tried) continue;
      const std::string name = law.name + (law.finding == Finding::not_tried ? "" : " (in part)");
      std::vector<std::string>& names = by_reason[clause.reason];
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  std::string out;
  for (const auto& [reason, names] : by_reason) out += "\n" + line("not tried", reason + ": " + joined(names, ", "));
  return out;
}

std::string unseen(const ServerJudgement& judgement) {
  std::vector<std::string> names;
  for (const LawFinding& law : judgement.laws)
    if (law.finding == Finding::unseen) names.push_back(law.name);
  return names.empty() ? ""
                       : "\n" + line("unseen", "nothing that a client sees would show these: " + joined(names, ", "));
}

std::string other_codes(const ServerJudgement& judgement) {
  std::vector<std::string> notes;
  for (const RuleFinding& rule : judgement.rules) {
    std::vector<std::string> codes;
    for (const unsigned code : rule.other_codes) codes.push_back(std::to_string(code));
    if (!codes.empty()) notes.push_back(rule.id + " " + joined(codes, ", ") + " (" + std::to_string(rule.wanted) + ")");
  }
  return notes.empty() ? ""
                       : "\n" + line("note", "another code of the same class than the table's, which is no fault: " +
                                                 joined(notes, ", "));
}

}  // namespace

std::size_t ServerJudgement::count_laws(Finding finding) const {
  return static_cast<std::size_t>(std::ranges::count(laws, finding, &LawFinding::finding));
}

std::size_t ServerJudgement::count_rules(Finding finding) const {
  return static_cast<std::size_t>(std::ranges::count(rules, finding, &RuleFinding::finding));
}

std::string counts_of_laws(const ServerJudgement& judgement) {
  constexpr std::array words = {"hold", "hold in part", "broken", "not tried", "cannot be seen", "do not arise here"};
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < findings.size(); ++i)
    parts.push_back(counted(judgement.count_laws(findings[i]), words[i]));
  return joined_parts(std::move(parts));
}

std::string counts_of_rules(const ServerJudgement& judgement) {
  return joined_parts({counted(judgement.count_rules(Finding::holds), "answered as the table does"),
                       counted(judgement.count_rules(Finding::broken), "otherwise"),
                       counted(judgement.count_rules(Finding::not_tried), "not tried"),
                       counted(judgement.count_rules(Finding::idle), "do not decide here")});
}

std::vector<std::string> lines_of(const ServerJudgement& judgement, const std::optional<Shown>& shown) {
  if (!shown) return {};
  std::vector<std::string> lines = judgement.tried.records[shown->trial].dialogue;
  lines.resize(std::min(lines.size(), shown->lines));
  return lines;
}

std::string dialogue_of(const ServerJudgement& judgement, const std::optional<Shown>& shown) {
  return joined(lines_of(judgement, shown), "\n");
}

std::string difference_of(const ServerJudgement& judgement, const RuleFinding& rule) {
  if (!rule.shown) return {};
  const Trial& trial = judgement.tried.trials[rule.shown->trial];
  const TrialRecord& record = judgement.tried.records[rule.shown->trial];
  const bool should_close = trial.subject().last.row->effect == spec::Effect::close;
  std::string wanted = rule.wanted == 0 ? "no reply" : std::to_string(rule.wanted);
  wanted += should_close ? " and a close" : "";
  if (!record.reached(trial)) return "wanted " + wanted + ", heard nothing";
  const PlayedStep& played = record.played[trial.tested];
  std::string heard = played.answer.is_reply() ? std::to_string(played.answer.code) : "no reply";
  if (!played.trouble.empty()) heard = played.trouble;
  if (record.is_closed && *record.is_closed != should_close)
    heard += *record.is_closed ? " and a close" : " and no close";
  return "wanted " + wanted + ", heard " + heard;
}

std::string judge_text(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict) {
  std::string out = head(policy, judgement);
  out += line("verdict", verdict.sentence + " (exit code " + std::to_string(verdict.exit_code) + ")");
  for (const LawFinding& law : judgement.laws)
    if (law.finding == Finding::broken) out += broken_law(judgement, law);
  for (const RuleFinding& rule : judgement.rules)
    if (rule.finding == Finding::broken) out += broken_rule(judgement, rule);
  return out + not_tried(judgement) + unseen(judgement) + other_codes(judgement);
}

}  // namespace postern::audit
