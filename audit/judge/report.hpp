// The judgement of a server, for people and for programs.
// in      a Judgement: the findings, and the trials that they speak of
// out     a text for a terminal; JSON; JUnit's XML; SARIF 2.1.0; one HTML page that needs nothing else
// errors  none; what is no UTF-8, and what XML has no character for, is replaced
// source  https://docs.oasis-open.org/sarif/sarif/v2.1.0/; https://llg.cubic.org/docs/junit/
#pragma once

#include <string>
#include <vector>

#include "audit/configuration.hpp"
#include "audit/judge/finding.hpp"

namespace postern::audit {

struct ServerJudgement {
  std::string server, banner;
  Configuration configuration;
  Tried tried;
  std::vector<LawFinding> laws;
  std::vector<RuleFinding> rules;
  std::string stopped;  // why not all was played; empty: it was
  std::size_t sessions = 0;
  double seconds = 0;

  [[nodiscard]] std::size_t count_laws(Finding finding) const;
  [[nodiscard]] std::size_t count_rules(Finding finding) const;
};

struct Conclusion {
  int exit_code = 0;
  std::string sentence;
};

[[nodiscard]] std::string judge_text(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict);
[[nodiscard]] std::string judge_json(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict);
[[nodiscard]] std::string judge_junit(const ServerJudgement& judgement);
[[nodiscard]] std::string judge_sarif(const ServerJudgement& judgement);
[[nodiscard]] std::string judge_html(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict);

// The lines of the dialogue that shows it, and the same as one text; empty when there is none.
[[nodiscard]] std::vector<std::string> lines_of(const ServerJudgement& judgement, const std::optional<Shown>& shown);
[[nodiscard]] std::string dialogue_of(const ServerJudgement& judgement, const std::optional<Shown>& shown);
// `28 hold, 2 are broken`, of all findings that there are.
[[nodiscard]] std::string counts_of_laws(const ServerJudgement& judgement);
[[nodiscard]] std::string counts_of_rules(const ServerJudgement& judgement);
// `wanted 250, heard 502`
[[nodiscard]] std::string difference_of(const ServerJudgement& judgement, const RuleFinding& rule);

}  // namespace postern::audit
