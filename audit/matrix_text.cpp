#include "audit/matrix_text.hpp"

#include <algorithm>

#include "audit/text.hpp"

namespace postern::audit {
namespace {

std::string marks_of(const spec::Cell& cell) { return joined(cell.marks, ", "); }

Rows cell_rows(const Policy& policy, const Matrix& matrix) {
  Rows rows{{"encryption", "AUTH", "port", "settings", "password in clear", "marks"}};
  for (const MatrixCell& cell : matrix.cells) {
    const Configuration& configuration = cell.explanation.configuration;
    rows.push_back({cell.cell->encryption, cell.cell->auth, std::to_string(configuration.port),
                    short_text(policy, configuration), cell.explanation.password_in_clear ? "YES" : "no",
                    marks_of(*cell.cell)});
  }
  return rows;
}

// Where a client must be for a gate to open: `always`, `in TLS`, `after AUTH`, ...
std::string opens(const Explanation& explanation, std::string_view gate) {
  std::vector<std::string> where;
  for (const Situation& situation : explanation.situations) {
    if (situation.gate(gate).is_open) where.push_back(situation.name);
  }
  if (where.empty()) return "never";
  return where.size() == explanation.situations.size() ? "always" : joined(where, "; ");
}

std::string title_of(const BehaviourGroup& group, std::size_t number) {
  const Explanation& explanation = group.explanation;
  const std::string count =
      std::to_string(group.members.size()) + (group.members.size() == 1 ? " setting" : " settings");
  if (!explanation.is_live())
    return std::string(name_of(explanation.verdict)) + ": " + Policy::reply_text(explanation.start) + " (" + count +
           ")";
  return "behaviour " + std::to_string(number) + " (" + count + ")" +
         (explanation.password_in_clear ? ": PASSWORDS MAY CROSS IN CLEAR" : "");
}

std::vector<std::string> meaning_of(const Explanation& explanation) {
  if (!explanation.is_live()) return {};
  return {"STARTTLS: " + opens(explanation, "STARTTLS"), "AUTH: " + opens(explanation, "AUTH"),
          "mail to our domains: " + opens(explanation, "RCPT ours"),
          "mail to other domains: " + opens(explanation, "RCPT other")};
}

std::string summary(const Matrix& matrix) {
  return std::to_string(matrix.refused + matrix.dead + matrix.live) + " settings: " + std::to_string(matrix.refused) +
         " refused at the start, " + std::to_string(matrix.dead) + " dead, " + std::to_string(matrix.live) +
         " live in " + std::to_string(matrix.behaviours) + " behaviours. In " +
         std::to_string(matrix.password_in_clear) + " a password can cross in clear, in " +
         std::to_string(matrix.password_in_clear_with_force_tls) + " of these although FORCE_TLS=1.";
}

std::vector<std::string> member_lines(const Policy& policy, const BehaviourGroup& group) {
  std::vector<std::string> lines;
  for (const Configuration& member : group.members) {
    std::string line = settings_text(policy, member);
    for (const spec::Cell* cell : group.cells) {
      if (configuration_of(policy, *cell).settings_and_facts == member.settings_and_facts)
        line += "   <- " + name_of(*cell);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

constexpr const char* html_head = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>postern: settings by behaviour</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { border: 1px solid #8886; padding: .3rem .6rem; text-align: left }
tr.standard td:first-child { border-left: .5rem solid #2a8a3e } tr.dangerous { background: #c4281c33 }
tr.not_for_mx td:nth-child(2) { color: #c4281c; font-weight: 600 }
pre { overflow-x: auto; background: #8881; padding: .6rem }
</style>
)";

}  // namespace

std::string matrix_text(const Policy& policy, const Matrix& matrix) {
  std::string out = "The usual settings (seed: table)\n\n" + text_table(cell_rows(policy, matrix)) + "\n";
  out += wrapped(summary(matrix), "") + "\n";
  std::size_t number = 0;
  for (const BehaviourGroup& group : matrix.groups) {
    out += "\n" + title_of(group, ++number) + "\n";
    for (const std::string& line : meaning_of(group.explanation)) out += "  " + line + "\n";
    for (const std::string& line : member_lines(policy, group)) out += "    " + line + "\n";
  }
  return out;
}

std::string matrix_markdown(const Policy& policy, const Matrix& matrix) {
  std::string out = "## The usual settings\n\n" + markdown_table(cell_rows(policy, matrix));
  out += "\n## All settings by behaviour\n\n" + summary(matrix) + "\n";
  std::size_t number = 0;
  for (const BehaviourGroup& group : matrix.groups) {
    out += "\n### " + title_of(group, ++number) + "\n\n";
    for (const std::string& line : meaning_of(group.explanation)) out += "- " + line + "\n";
    out += "\n```\n" + joined(member_lines(policy, group), "\n") + "\n```\n";
  }
  return out;
}

std::string matrix_html(const Policy& policy, const Matrix& matrix) {
  std::string out = html_head;
  out += "<h1>The usual settings</h1>\n<table>\n";
  const Rows rows = cell_rows(policy, matrix);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string tag = i == 0 ? "th" : "td";
    out += i == 0 ? "<tr>" : "<tr class=\"" + joined(matrix.cells[i - 1].cell->marks, " ") + "\">";
    for (const std::string& cell : rows[i]) out += "<" + tag + ">" + html_escaped(cell) + "</" + tag + ">";
    out += "</tr>\n";
  }
  out += "</table>\n<h1>All settings by behaviour</h1>\n<p>" + html_escaped(summary(matrix)) + "</p>\n";
  std::size_t number = 0;
  for (const BehaviourGroup& group : matrix.groups) {
    out += "<h2>" + html_escaped(title_of(group, ++number)) + "</h2>\n<ul>\n";
    for (const std::string& line : meaning_of(group.explanation)) out += "<li>" + html_escaped(line) + "</li>\n";
    out += "</ul>\n<pre>" + html_escaped(joined(member_lines(policy, group), "\n")) + "</pre>\n";
  }
  return out + "</html>\n";
}

}  // namespace postern::audit
