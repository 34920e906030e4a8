#include "cli/class_judgement.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/explanation_text.hpp"
#include "config/variables.hpp"

namespace postern::cli {
namespace {

// The class that holds for clients that no other record names.
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

void tell_misspellings(ClassJudgement& result) {
  if (result.judgement.empty()) return;
  std::vector<std::string> sentences;
  for (const auto& [name, value] : result.tcp_class.sets)
    if (auto sentence = config::misspelling(name)) sentences.push_back(std::move(*sentence));
  warn_of_misspellings(result.judgement.front().advice, sentences);
}

}  // namespace

std::vector<ClassJudgement> judge_classes(const audit::Policy& policy, const audit::Comparison& comparison,
                                          const Variables& base, const TcpRulesFile& rules) {
  std::vector<TcpClass> classes = read_tcprules(rules.path);
  // No record for everybody else: tcpserver lets them in, with its own environment.
  if (std::ranges::none_of(classes, [](const TcpClass& c) { return c.address.empty(); })) classes.emplace_back();
  std::vector<ClassJudgement> judged;
  for (TcpClass& tcp_class : classes) {
    ClassJudgement result{.tcp_class = std::move(tcp_class), .judgement = {}};
    if (!result.tcp_class.is_denied) {
      const audit::Clients clients =
          holds_for_everybody(result.tcp_class) ? audit::Clients::everybody : audit::Clients::chosen;
      const Variables variables = environment_of(base, result.tcp_class, rules.path);
      result.judgement.push_back(judge(policy, comparison, variables, rules.said, clients));
    }
    if (!result.tcp_class.problem.empty() && !result.judgement.empty()) {
      std::vector<audit::Advice>& advice = result.judgement.front().advice;
      advice.push_back({audit::Grade::warning, "idle_class", result.tcp_class.problem, "tcprules(1)"});
      std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
    }
    tell_misspellings(result);
    judged.push_back(std::move(result));
  }
  return judged;
}

void count(const std::vector<ClassJudgement>& classes, audit::AdviceCounts& counts) {
  for (const ClassJudgement& each : classes)
    for (const Judgement& judgement : each.judgement) audit::count(judgement.advice, counts);
}

RefusedClasses refused_classes(const std::vector<ClassJudgement>& classes) {
  RefusedClasses refused;
  std::size_t admitted = 0;
  for (const ClassJudgement& each : classes) {
    if (each.judgement.empty()) continue;
    ++admitted;
    if (each.judgement.front().worst() == audit::Grade::refusal) refused.titles.push_back(title_of(each.tcp_class));
  }
  refused.are_all = refused.titles.size() == admitted;
  return refused;
}

audit::Grade worst_of(const std::vector<ClassJudgement>& classes) {
  audit::Grade worst = audit::Grade::note;
  for (const ClassJudgement& each : classes)
    if (!each.judgement.empty()) worst = std::min(worst, each.judgement.front().worst());
  return worst;
}

std::string write_text(const audit::Policy& policy, const std::vector<ClassJudgement>& classes) {
  std::string text;
  for (const ClassJudgement& each : classes) {
    if (each.judgement.empty())
      text += title_of(each.tcp_class) + "\ndenied   by tcprules\n\n";
    else if (const Judgement& judgement = each.judgement.front(); !judgement.listed.empty())
      text += title_of(each.tcp_class) + "\nrefused  by RBLSMTPD: " + judgement.listed + "\n" +
              audit::write_text(judgement.advice) + "\n";
    else
      text += write_text(policy, judgement) + "\n";
  }
  return text;
}

audit::Json to_json(const audit::Policy& policy, const std::vector<ClassJudgement>& classes) {
  audit::Json json = audit::Json::array();
  for (const ClassJudgement& each : classes) {
    json.push_back(each.judgement.empty() ? audit::Json{{"of", title_of(each.tcp_class)}, {"verdict", "denied"}}
                                          : to_json(policy, each.judgement.front()));
    json.back()["address"] = each.tcp_class.address;
  }
  return json;
}

}  // namespace postern::cli
