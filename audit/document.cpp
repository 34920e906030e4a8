#include "audit/document.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "audit/behaviour_groups.hpp"
#include "audit/diagram.hpp"
#include "audit/laws.hpp"
#include "audit/matrix_text.hpp"
#include "audit/questions.hpp"
#include "audit/requirements.hpp"
#include "audit/resources.hpp"
#include "spec/limits.hpp"
#include "spec/verify.hpp"

namespace postern::audit {
namespace {

Section settings_section(const spec::Model& model) {
  Section section{"Settings",
                  {"What the operator sets: one value for a connection. Unset or empty is the default, "
                   "else `0` or `1`; anything else refuses the start."},
                  {{"setting", "default", "meaning", "source"}},
                  ""};
  for (const spec::Setting& s : model.settings) section.table.push_back({s.name, s.default_value, s.meaning, s.source});
  return section;
}

Section facts_section(const spec::Model& model) {
  Section section{"Facts",
                  {"Found at the start, or found by counting. Nothing besides settings, facts and the state "
                   "of the session affects a decision."},
                  {{"fact", "meaning", "source"}},
                  ""};
  for (const spec::Fact& f : model.facts) section.table.push_back({f.name, f.meaning, f.source});
  return section;
}

Section state_section(const spec::Model& model) {
  Section section{"State", {"What a session remembers."}, {{"state", "values", "meaning", "source"}}, ""};
  for (const spec::State& s : model.states) {
    const spec::Variable& variable = model.variables[s.variable];
    section.table.push_back({variable.name, joined(variable.values, ", "), s.meaning, s.source});
  }
  return section;
}

Section derived_section(const spec::Model& model) {
  Section section{"Derived names",
                  {"Names for conditions; the rules use them in their place. A theorem guards no rule: "
                   "it follows from the rules and is proved."},
                  {{"name", "is", "meaning", "source"}},
                  ""};
  for (const spec::Derived& d : model.derived)
    section.table.push_back({d.name + (d.is_theorem ? " (theorem)" : ""), d.text, d.meaning, d.source});
  return section;
}

// `mail.valid, mail.malformed` are written once, in the order of events.toml.
std::string events_text(const spec::Model& model, const spec::RuleRow& rule) {
  std::vector<std::string> names;
  for (const std::size_t event : rule.events) names.push_back(model.events[event].name);
  constexpr std::size_t most = 8;
  if (names.size() <= most) return joined(names, ", ");
  return names.front() + " and " + std::to_string(names.size() - 1) + " other commands";
}

std::string reply_text(const spec::ReplyText& reply) {
  return reply.code == 0 ? "" : std::to_string(reply.code) + " " + reply.text;
}

std::string then_text(const spec::Model& model, const spec::RuleRow& rule) {
  std::vector<std::string> parts;
  if (const std::string& effect = model.effects[rule.effect].name; effect != "none") parts.push_back(effect);
  for (const spec::Change& change : rule.then) {
    const spec::Variable& variable = model.variables[change.variable];
    parts.push_back(variable.name + " := " + variable.values[change.value]);
  }
  return joined(parts, "; ");
}

Section rules_section(const spec::Model& model) {
  Section section{"Rules",
                  {"One transition a rule. Of one event's rules that hold, the one with the lowest step "
                   "decides; two of one step never hold together."},
                  {{"rule", "on", "step", "if", "reply", "then", "source"}},
                  "rule"};
  for (const spec::RuleRow& rule : model.rules)
    section.table.push_back({rule.id, events_text(model, rule), std::to_string(rule.step), rule.condition_text,
                             reply_text(model.replies[rule.reply]), then_text(model, rule), rule.source});
  return section;
}

Section capabilities_section(const spec::Model& model) {
  Section section{"Capabilities",
                  {"The lines of an EHLO reply, in this order; a line is there exactly when its condition holds."},
                  {{"line", "if", "source"}},
                  ""};
  for (const spec::Capability& c : model.capabilities)
    section.table.push_back({c.text, c.condition_text.empty() ? "always" : c.condition_text, c.source});
  return section;
}

Section replies_section(const spec::Model& model) {
  Section section{"Replies", {}, {{"reply", "code", "text", "enhanced", "source"}}, ""};
  for (const spec::ReplyText& r : model.replies)
    section.table.push_back({r.name, std::to_string(r.code), r.text, r.enhanced, r.source});
  return section;
}

Section events_section(const spec::Model& model) {
  Section section{"Events", {}, {{"event", "while waiting for", "meaning", "source"}}, ""};
  const spec::Variable& waiting = model.variables[model.waiting_variable()];
  for (const spec::EventRow& e : model.events) {
    std::vector<std::string> values;
    for (const std::size_t value : e.waiting) values.push_back(waiting.values[value]);
    section.table.push_back({e.name, joined(values, ", "), e.meaning, e.source});
  }
  return section;
}

Section effects_section(const spec::Model& model) {
  Section section{"Effects",
                  {"What the server does after the reply. Every effect is asked for by a rule."},
                  {{"effect", "meaning"}},
                  ""};
  for (const spec::EffectRow& e : model.effects) section.table.push_back({e.name, e.meaning});
  return section;
}

// Lines `inline constexpr TYPE NAME = VALUE;  // SOURCE`.
Section limits_section() {
  Section section{"Limits", {"Every number that bounds a session."}, {{"limit", "value", "source"}}, ""};
  std::string_view rest = limits_hpp();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t equals = line.find(" = "), end = line.find(';'), source = line.find("// ");
    if (!line.starts_with("inline constexpr") || equals > line.size() || end > line.size()) continue;
    const std::size_t name = line.rfind(' ', equals - 1) + 1;
    section.table.push_back({std::string(line.substr(name, equals - name)),
                             replaced(std::string(line.substr(equals + 3, end - equals - 3)), "ULL", ""),
                             source > line.size() ? "" : std::string(line.substr(source + 3))});
  }
  return section;
}

// What shows a law besides its proof: the requirements that name it, and the dialogues that those name with it.
std::vector<std::string> shown_by(const ToldLaw& law) {
  std::vector<std::string> ids;
  std::set<std::string> dialogues;
  for (const Requirement* requirement : requirements_of_law(law.name)) {
    ids.push_back(requirement->id);
    for (std::string& dialogue : requirement->covers("dialogue")) dialogues.insert(std::move(dialogue));
  }
  return {joined(ids, ", "), joined({dialogues.begin(), dialogues.end()}, ", ")};
}

// A possibility is a promise that something can be reached, which only a walk shows.
std::string proof_of(const ToldLaw& law) {
  return law.kind == "possibility" ? "a walk through all states" : "every decision; z3; cvc5";
}

Section laws_section(const spec::Reach& reach) {
  NoticedMutants noticed = noticed_mutants();
  Section section{
      "Laws",
      {"What must be true, whatever the rules say: laws of decisions, invariants of states, and what must be possible. "
       "When the policy is built each is checked on every one of the " +
       std::to_string(reach.decisions) +
       " decisions; a rule that breaks one does not build. Each is proved, too, from the rules as SMT-LIB by z3 and by "
       "cvc5 (proptests/prove.py). No law is idle: proptests/kill_mutants makes each single change of the spec, " +
       std::to_string(noticed.total) +
       " mutants, and each has to be noticed; of those that a law notices the first one is counted (0: others notice "
       "them sooner). The requirements "
       "are those of the table below, the dialogues files of tests/dialogues."},
      {{"law", "kind", "sentence", "statement", "source", "proved by", "mutants first noticed", "requirements",
        "dialogues"}},
      "law"};
  for (const ToldLaw& law : told_laws()) {
    const std::vector<std::string> shown = shown_by(law);
    section.table.push_back({law.name, law.kind, law.sentence, joined(law.statements, "\n"), law.source, proof_of(law),
                             std::to_string(noticed.first_noticed_by[law.name]), shown[0], shown[1]});
  }
  if (section.table.size() == 1) return {"Laws", {"This program was built without spec/laws.toml."}, {}, ""};
  return section;
}

Section requirements_section() {
  Section section{
      "Requirements",
      {"What the RFCs and the seed demand of a server, in our words, and what makes each sure: a law, a rule, a "
       "dialogue, a test, a deviation, or a gap with its reason (docs/requirements.toml)."},
      {{"requirement", "level", "binds", "what", "verified by"}},
      ""};
  for (const Requirement& requirement : requirements())
    section.table.push_back(
        {requirement.id, requirement.level, requirement.binds, requirement.text, joined(requirement.covered_by, "\n")});
  return section;
}

// Words that rules, laws and events use, and that mean something of their own here.
Section words_section(const spec::Model& model) {
  std::vector<std::string> mistakes, attempts, forgiving;
  for (const spec::ReplyText& reply : model.replies)
    if (reply.is_mistake) mistakes.push_back(reply.name + " (" + std::to_string(reply.code) + ")");
  for (const spec::EventRow& event : model.events) {
    if (event.is_auth_attempt) attempts.push_back(event.name);
    if (event.forgives_mistakes) forgiving.push_back(event.name);
  }
  const std::string most = std::to_string(spec::max_errors);
  return {
      "Words",
      {},
      {{"word", "meaning"},
       {"mistake", "a command that is answered by one of: " + joined(mistakes, ", ") +
                       ". What the server cannot do for now is none. The client has " + most + " of them until " +
                       joined(forgiving, " or ") + "."},
       {"AUTH attempt", "one of " + joined(attempts, ", ") + ", answered or refused. Nothing forgives them."},
       {"usable",
        "of a certificate: its chain and its private key could be read, belong together, and can be served "
        "with. Of STARTTLS and AUTH: as the derived names starttls_usable and auth_usable say."},
       {"order of events",
        "at the start several things may be true: the first one in the table of events is the event. After that only "
        "one can happen at a time: a line is one event, by the grammar's verdict on all of it; an answer of the "
        "outside "
        "is one; silence and the end come when nothing else is waited for."},
       {"step", "of one event's rules that hold, the one with the lowest step decides."},
       {"refused", "answered 4yz or 5yz; or closed in place of a greeting."},
       {"question",
        "what only the outside knows. While one is open nothing else happens in the session, and an answer "
        "counts only while it is waited for."}},
      ""};
}

Section law_words_section() {
  Section section{"Words of the laws",
                  {"The laws have names of their own, made from settings and facts alone, so that they "
                   "do not change when the rules do."},
                  {{"name", "is", "meaning"}},
                  ""};
  for (const LawWord& word : words_of_laws()) section.table.push_back({word.name, word.is, word.meaning});
  return section;
}

Section summary_section(const spec::Model& model, const spec::Reach& reach) {
  const std::string counts = std::to_string(model.rules.size()) + " rules, " + std::to_string(model.events.size()) +
                             " events, " + std::to_string(model.replies.size()) + " replies; " +
                             std::to_string(reach.configurations) + " configurations (settings and facts), " +
                             std::to_string(reach.states) + " states that a session can be in, " +
                             std::to_string(reach.decisions) + " decisions.";
  return {"The policy",
          {"postern " POSTERN_VERSION ", policy " + std::string(spec::policy_hash()) +
               " (SHA-256 of spec/policy.snapshot). The log line `start` of postern-smtpd begins with it.",
           counts},
          {},
          ""};
}

Section questions_section(const Policy& policy) {
  Section section{"What an auditor asks",
                  {"Each sentence is counted from the decisions of all configurations, in all states. "
                   "`postern explain SETTING=VALUE...` answers for one configuration."},
                  {},
                  ""};
  for (const AuditorsAnswer& answer : answer_auditor(policy))
    section.items.push_back({answer.question, answer.sentence, joined(answer.laws, ", "), answer.witness});
  return section;
}

std::string markdown_of(const Item& item) {
  return "\n### " + item.title + "\n\n" + item.text + "\n\nPromised by " + item.laws + ".\n" +
         (item.session.empty() ? "" : "\n```\n" + item.session + "```\n");
}

std::string html_of(const Item& item) {
  return "<h3>" + html_escaped(item.title) + "</h3>\n<p>" + html_escaped(item.text) + "</p>\n<p><small>Promised by " +
         html_escaped(item.laws) + ".</small></p>\n" +
         (item.session.empty()
              ? ""
              : "<details><summary>a session</summary><pre>" + html_escaped(item.session) + "</pre></details>\n");
}

std::string html_head(const std::vector<std::string>& head) {
  std::string out = "<thead><tr>";
  for (const std::string& cell : head) out += "<th scope=\"col\">" + html_escaped(cell) + "</th>";
  return out + "</tr></thead>\n";
}

// A name may break after its dots and underscores.
std::string html_name(const std::string& name) {
  return replaced(replaced(html_escaped(name), "_", "_<wbr>"), ".", ".<wbr>");
}

std::string html_table(const Section& section) {
  const std::vector<std::string>& head = section.table.front();
  std::string out = "<div class=\"wide\"><table>\n" + html_head(head) + "<tbody>\n";
  for (std::size_t i = 1; i < section.table.size(); ++i) {
    const std::vector<std::string>& row = section.table[i];
    const bool is_named = !section.class_of_rows.empty();
    out += is_named ? "<tr data-" + section.class_of_rows + "=\"" + html_escaped(row.front()) + "\">" : "<tr>";
    out += "<td>" + html_name(row.front()) + "</td>";
    for (std::size_t column = 1; column < row.size(); ++column)
      out += "<td data-head=\"" + html_escaped(head[column]) + "\">" +
             replaced(html_escaped(row[column]), "\n", "<br>") + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::vector<Section> document_of(const Policy& policy) {
  const spec::Model& model = policy.model();
  const spec::Reach reach = spec::explore(model, nullptr);
  return {summary_section(model, reach), questions_section(policy), settings_section(model), facts_section(model),
          state_section(model),          derived_section(model),    words_section(model),    rules_section(model),
          capabilities_section(model),   laws_section(reach),       law_words_section(),     requirements_section(),
          replies_section(model),        events_section(model),     effects_section(model),  limits_section()};
}

std::string markdown_of(const Policy& policy, const std::vector<Section>& sections) {
  std::string out = "# The policy of postern\n\nWritten by `postern spec`; not edited by hand.\n";
  for (const Section& section : sections) {
    out += "\n## " + section.title + "\n";
    for (const std::string& paragraph : section.paragraphs) out += "\n" + paragraph + "\n";
    if (!section.table.empty()) out += "\n" + markdown_table(section.table);
    for (const Item& item : section.items) out += markdown_of(item);
  }
  out += "\n" + matrix_markdown(policy, make_matrix(policy));
  out += "\n## State diagrams\n\nOne machine a state of the session, with the rules that change it (Graphviz).\n";
  for (const Diagram& diagram : diagrams_of(policy)) out += "\n```dot\n" + diagram.dot + "```\n";
  return out;
}

std::string html_of(const Section& section, Folded folded) {
  const std::size_t rows = section.table.empty() ? 0 : section.table.size() - 1;
  std::string out = folded == Folded::yes ? "<details><summary>" : "<details open><summary>";
  out +=
      html_escaped(section.title) + (rows == 0 ? "" : " <small>" + std::to_string(rows) + "</small>") + "</summary>\n";
  for (const std::string& paragraph : section.paragraphs) out += "<p>" + html_escaped(paragraph) + "</p>\n";
  if (!section.table.empty()) out += html_table(section);
  for (const Item& item : section.items) out += html_of(item);
  return out + "</details>\n";
}

}  // namespace postern::audit
