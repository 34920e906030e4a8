#include <array>

#include "audit/judge/report.hpp"
#include "audit/text.hpp"

namespace postern::audit {
namespace {

constexpr const char* style =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem}"
    ".broken,.otherwise{color:#a00000;font-weight:bold}.holds{color:#006400}code{background:#f4f4f4}"
    "details{margin:.4rem 0}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}"
    "pre,code{background:#222}.broken,.otherwise{color:#ff8080}.holds{color:#80d080}}";

std::string element(const std::string& name, const std::string& text, const std::string& kind = "") {
  return "<" + name + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + html_escaped(text) + "</" + name + ">";
}

std::string row(const std::string& name, const std::string& text) {
  return "<tr>" + element("th", name) + element("td", text) + "</tr>\n";
}

std::string dialogue(const ServerJudgement& judgement, const std::optional<Shown>& shown) {
  return shown ? element("pre", dialogue_of(judgement, shown)) + "\n" : "";
}

std::string class_of(Finding finding) {
  if (finding == Finding::broken) return "broken";
  return finding == Finding::holds ? "holds" : "other";
}

std::string law_html(const ServerJudgement& judgement, const LawFinding& law) {
  std::string out = std::string("<details") + (law.finding == Finding::broken ? " open" : "") + "><summary>" +
                    element("span", std::string(name_of(law.finding)), class_of(law.finding)) + " " +
                    element("code", law.name) + "</summary>\n" + element("p", law.sentence + " (" + law.source + ")") +
                    "<ul>\n";
  for (const ClauseFinding& clause : law.clauses) {
    const std::string tried = clause.tried == 0 ? "" : ", tried " + std::to_string(clause.tried) + " times";
    out += "<li>" + element("span", std::string(name_of(clause.finding)), class_of(clause.finding)) +
           html_escaped(tried + (clause.reason.empty() ? "" : ": " + clause.reason)) + "<br>" +
           element("code", clause.statement) + dialogue(judgement, clause.shown) + "</li>\n";
  }
  return out + "</ul></details>\n";
}

std::string rule_html(const ServerJudgement& judgement, const RuleFinding& rule) {
  const bool is_otherwise = rule.finding == Finding::broken;
  const std::string finding = is_otherwise ? "otherwise" : std::string(name_of(rule.finding));
  const std::string why = is_otherwise ? difference_of(judgement, rule) : rule.reason;
  return "<tr>" + element("td", finding, is_otherwise ? "otherwise" : class_of(rule.finding)) + "<td>" +
         element("code", rule.id) + "</td><td>" + html_escaped(why) + dialogue(judgement, rule.shown) + "</td></tr>\n";
}

}  // namespace

std::string judge_html(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict) {
  std::string out = std::string("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">") +
                    "<meta name=\"viewport\" content=\"width=device-width\">" +
                    element("title", "postern judge: " + judgement.server) + "<style>" + style +
                    "</style></head>\n<body>" + element("h1", judgement.server) + "\n<table>\n";
  out += row("verdict", verdict.sentence) + row("says", judgement.banner);
  out += row("judged as",
             settings_text(policy, judgement.configuration) + "; " + facts_text(policy, judgement.configuration));
  out += row("policy", std::string(spec::policy_hash())) + row("sessions", std::to_string(judgement.sessions));
  if (!judgement.stopped.empty()) out += row("stopped", judgement.stopped);
  out +=
      row("laws", counts_of_laws(judgement)) + row("rules", counts_of_rules(judgement)) + "</table>\n<h2>Laws</h2>\n";
  for (const Finding finding : std::array{Finding::broken, Finding::in_part, Finding::not_tried, Finding::unseen,
                                          Finding::holds, Finding::idle})
    for (const LawFinding& law : judgement.laws)
      if (law.finding == finding) out += law_html(judgement, law);
  out += "<h2>Rules</h2>\n<table>\n";
  for (const RuleFinding& rule : judgement.rules) out += rule_html(judgement, rule);
  return out + "</table></body></html>\n";
}

}  // namespace postern::audit
