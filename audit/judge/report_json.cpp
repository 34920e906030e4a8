#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "audit/judge/report.hpp"
#include "audit/text.hpp"

namespace postern::audit {
namespace {

constexpr const char* sarif_schema = "https://json.schemastore.org/sarif-2.1.0.json";

Json dialogue_json(const ServerJudgement& judgement, const std::optional<Shown>& shown) {
  return shown ? Json(lines_of(judgement, shown)) : Json(nullptr);
}

Json clauses_json(const ServerJudgement& judgement, const LawFinding& law) {
  Json clauses = Json::array();
  for (const ClauseFinding& clause : law.clauses)
    clauses.push_back({{"statement", clause.statement},
                       {"finding", name_of(clause.finding)},
                       {"tried", clause.tried},
                       {"reason", clause.reason},
                       {"dialogue", dialogue_json(judgement, clause.shown)}});
  return clauses;
}

Json law_json(const ServerJudgement& judgement, const LawFinding& law) {
  return {{"kind", law.kind},         {"name", law.name},     {"finding", name_of(law.finding)},
          {"sentence", law.sentence}, {"source", law.source}, {"clauses", clauses_json(judgement, law)}};
}

Json rule_json(const ServerJudgement& judgement, const RuleFinding& rule) {
  const bool is_otherwise = rule.finding == Finding::broken;
  return {{"id", rule.id},
          {"finding", is_otherwise ? "otherwise" : name_of(rule.finding)},
          {"source", rule.source},
          {"code", rule.wanted},
          {"other_codes", rule.other_codes},
          {"reason", is_otherwise ? difference_of(judgement, rule) : rule.reason},
          {"dialogue", dialogue_json(judgement, rule.shown)}};
}

std::string statements_of(const ServerJudgement& judgement, const LawFinding& law) {
  std::string text = law.sentence + " (" + law.source + ")";
  for (const ClauseFinding& clause : law.clauses)
    if (clause.finding == Finding::broken)
      text += "\n" + clause.statement + "\n" + dialogue_of(judgement, clause.shown);
  return text;
}

// ---- SARIF

Json location(const char* file, unsigned line, const std::string& server) {
  return Json::array(
      {{{"physicalLocation",
         {{"artifactLocation", {{"uri", file}, {"uriBaseId", "POSTERN"}}}, {"region", {{"startLine", line}}}}},
        {"logicalLocations", Json::array({{{"name", server}, {"kind", "resource"}}})}}});
}

const char* sarif_kind(Finding finding) {
  switch (finding) {
    case Finding::broken: return "fail";
    case Finding::holds: return "pass";
    case Finding::idle: return "notApplicable";
    default: return "open";
  }
}

Json sarif_result(const std::string& id, Finding finding, const char* level, const std::string& text, Json where) {
  return {{"ruleId", id},
          {"kind", sarif_kind(finding)},
          {"level", finding == Finding::broken ? level : "none"},
          {"message", {{"text", text}}},
          {"locations", std::move(where)}};
}

std::string reasons_of(const LawFinding& law) {
  std::string text = std::string(name_of(law.finding)) + ": " + law.sentence;
  for (const ClauseFinding& clause : law.clauses)
    if (!clause.reason.empty())
      text += "\n" + clause.statement + ": " + std::string(name_of(clause.finding)) + ", " + clause.reason;
  return text;
}

void add_laws(const ServerJudgement& judgement, Json& rules, Json& results) {
  for (const LawFinding& law : judgement.laws) {
    rules.push_back({{"id", law.name},
                     {"shortDescription", {{"text", law.sentence}}},
                     {"help", {{"text", law.source}}},
                     {"defaultConfiguration", {{"level", "error"}}}});
    const std::string text = law.finding == Finding::broken ? statements_of(judgement, law) : reasons_of(law);
    results.push_back(
        sarif_result(law.name, law.finding, "error", text, location("spec/laws.toml", law.line, judgement.server)));
  }
}

void add_rules(const ServerJudgement& judgement, Json& rules, Json& results) {
  for (const RuleFinding& rule : judgement.rules) {
    if (rule.finding != Finding::broken) continue;
    rules.push_back({{"id", "rule/" + rule.id},
                     {"shortDescription", {{"text", "the answer of rule " + rule.id}}},
                     {"help", {{"text", rule.source}}},
                     {"defaultConfiguration", {{"level", "note"}}}});
    const std::string text = difference_of(judgement, rule) + "\n" + dialogue_of(judgement, rule.shown);
    results.push_back(sarif_result("rule/" + rule.id, rule.finding, "note", text,
                                   location("spec/policy.toml", rule.line, judgement.server)));
  }
}

// ---- JUnit

// What XML 1.0 has a character for.
std::string xml(const std::string& text) {
  std::string kept;
  for (const char c : text) kept += (static_cast<unsigned char>(c) < 32 && c != '\n') || c == 127 ? '?' : c;
  return replaced(html_escaped(kept), "\n", "&#10;");
}

std::string junit_case(const std::string& suite, const std::string& name, const std::string& inside) {
  return "    <testcase classname=\"" + xml(suite) + "\" name=\"" + xml(name) + "\" time=\"0\"" +
         (inside.empty() ? "/>\n" : ">\n      " + inside + "\n    </testcase>\n");
}

std::string failure(const std::string& sentence, const std::string& text) {
  return "<failure message=\"" + xml(sentence) + "\" type=\"broken\">" + xml(text) + "</failure>";
}

std::string skipped(const std::string& reason) { return "<skipped message=\"" + xml(reason) + "\"/>"; }

std::string reason_of(const LawFinding& law) {
  for (const ClauseFinding& clause : law.clauses)
    if (!clause.reason.empty()) return std::string(name_of(law.finding)) + ": " + clause.reason;
  return std::string(name_of(law.finding));
}

struct Suite {
  std::string cases;
  std::size_t tests = 0, failures = 0, skips = 0;

  void add(const std::string& suite, const std::string& name, Finding finding, const std::string& failed,
           const std::string& reason) {
    ++tests;
    const bool is_broken = finding == Finding::broken, is_skipped = !is_broken && finding != Finding::holds;
    failures += is_broken;
    skips += is_skipped;
    cases += junit_case(suite, name, is_broken ? failed : is_skipped ? skipped(reason) : "");
  }

  [[nodiscard]] std::string written(const std::string& name) const {
    return "  <testsuite name=\"" + name + "\" tests=\"" + std::to_string(tests) + "\" failures=\"" +
           std::to_string(failures) + "\" errors=\"0\" skipped=\"" + std::to_string(skips) + "\">\n" + cases +
           "  </testsuite>\n";
  }
};

}  // namespace

std::string judge_json(const Policy& policy, const ServerJudgement& judgement, const Conclusion& verdict) {
  Json json = {{"policy", spec::policy_hash()}, {"server", judgement.server},
               {"banner", judgement.banner},    {"configuration", to_json(policy, judgement.configuration)},
               {"verdict", verdict.sentence},   {"exit_code", verdict.exit_code},
               {"stopped", judgement.stopped},  {"sessions", judgement.sessions},
               {"seconds", judgement.seconds},  {"laws", Json::array()},
               {"rules", Json::array()}};
  for (const LawFinding& law : judgement.laws) json["laws"].push_back(law_json(judgement, law));
  for (const RuleFinding& rule : judgement.rules) json["rules"].push_back(rule_json(judgement, rule));
  return dumped(json);
}

std::string judge_sarif(const ServerJudgement& judgement) {
  Json rules = Json::array(), results = Json::array();
  add_laws(judgement, rules, results);
  add_rules(judgement, rules, results);
  const Json driver = {{"name", "postern judge"}, {"version", POSTERN_VERSION}, {"rules", std::move(rules)}};
  Json invocation = {{"executionSuccessful", judgement.stopped.empty()}};
  if (!judgement.stopped.empty())
    invocation["toolExecutionNotifications"] =
        Json::array({{{"level", "error"}, {"message", {{"text", judgement.stopped}}}}});
  return dumped(
      {{"$schema", sarif_schema},
       {"version", "2.1.0"},
       {"runs",
        Json::array({{{"tool", {{"driver", driver}}},
                      {"originalUriBaseIds", {{"POSTERN", {{"description", {{"text", "the sources of postern"}}}}}}},
                      {"invocations", Json::array({invocation})},
                      {"results", std::move(results)}}})}});
}

std::string judge_junit(const ServerJudgement& judgement) {
  Suite laws, rules;
  for (const LawFinding& law : judgement.laws)
    laws.add("postern.law", law.name, law.finding, failure(law.sentence, statements_of(judgement, law)),
             reason_of(law));
  for (const RuleFinding& rule : judgement.rules)
    rules.add("postern.rule", rule.id, rule.finding,
              failure(difference_of(judgement, rule), dialogue_of(judgement, rule.shown)),
              rule.reason.empty() ? std::string(name_of(rule.finding)) : rule.reason);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"postern judge\">\n" + laws.written("laws") +
         rules.written("rules") + "</testsuites>\n";
}

}  // namespace postern::audit
