#include <algorithm>
#include <unordered_set>

#include "audit/judge/finding.hpp"

namespace postern::audit {
namespace {

class RuleJudge {
 public:
  RuleJudge(const Policy& policy, const Tried& tried) : policy_(policy), tried_(tried) {
    for (const Decision& decision : policy.walk(tried.settings_and_facts)) {
      decides_.insert(decision.row->rule);
      if (why_.size() <= static_cast<std::size_t>(decision.row->rule))
        why_.resize(static_cast<std::size_t>(decision.row->rule) + 1);
      std::string& why = why_[static_cast<std::size_t>(decision.row->rule)];
      if (why.empty()) why = why_unplayed(decision.event);
    }
    decides_.insert(policy.decide(spec::start(tried.settings_and_facts), spec::Event::connect_ready).row->rule);
  }

  std::vector<RuleFinding> judge() const {
    std::vector<RuleFinding> findings;
    for (std::size_t i = 0; i < policy_.model().rules.size(); ++i)
      findings.push_back(judge_rule(static_cast<spec::Rule>(i)));
    return findings;
  }

 private:
  [[nodiscard]] RuleFinding judge_rule(spec::Rule rule) const {
    const spec::RuleRow& row = policy_.rule(rule);
    RuleFinding found{.id = row.id,
                      .source = row.source,
                      .reason = {},
                      .line = row.line,
                      .finding = Finding::idle,
                      .wanted = policy_.model().replies[row.reply].code,
                      .other_codes = {},
                      .shown = {}};
    for (std::size_t i = 0; i < tried_.trials.size(); ++i) {
      const TrialStep& step = tried_.trials[i].subject();
      if (step.last.row->rule == rule || step.first.row->rule == rule) take(i, step.last.row->rule == rule, found);
    }
    if (found.finding != Finding::idle || !decides_.contains(rule)) return found;
    found.finding = Finding::not_tried;
    const auto index = static_cast<std::size_t>(rule);
    found.reason =
        index < why_.size() && !why_[index].empty() ? why_[index] : "such a session is not among those that are played";
    return found;
  }

  void take(std::size_t trial, bool is_answer, RuleFinding& found) const {
    const TrialRecord& record = tried_.records[trial];
    if (!tried_.why_not[trial].empty()) {
      if (found.finding != Finding::idle) return;
      found.finding = Finding::not_tried;
      found.reason = tried_.why_not[trial];
      return;
    }
    const bool is_expected = record.is_as_expected(tried_.trials[trial]);
    if (!is_expected && is_answer) {
      const bool is_shorter = !found.shown || record.lines_at_once < found.shown->lines;
      if (is_shorter) found.shown = Shown{trial, record.lines_at_once};
      found.finding = Finding::broken;
    }
    if (!is_expected) return;
    if (found.finding != Finding::broken) found.finding = Finding::holds;
    found.reason.clear();
    note_code(tried_.trials[trial], record, is_answer, found);
  }

  static void note_code(const Trial& trial, const TrialRecord& record, bool is_answer, RuleFinding& found) {
    const unsigned code = record.played[trial.tested].answer.code;
    const bool is_other = is_answer && found.wanted != 0 && code != found.wanted;
    if (is_other && std::ranges::find(found.other_codes, code) == found.other_codes.end())
      found.other_codes.push_back(code);
  }

  const Policy& policy_;
  const Tried& tried_;
  std::unordered_set<spec::Rule> decides_;
  std::vector<std::string> why_;
};

}  // namespace

std::vector<RuleFinding> judge_rules(const Policy& policy, const Tried& tried) {
  return RuleJudge(policy, tried).judge();
}

}  // namespace postern::audit
