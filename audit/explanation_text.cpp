#include "audit/explanation_text.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

std::string ehlo_side_by_side(const Explanation& explanation) {
  Rows rows(1);
  std::vector<const Situation*> shown;
  for (const Situation& situation : explanation.situations) {
    if (situation.authentication == "none") shown.push_back(&situation);
  }
  for (const Situation* situation : shown) {
    rows.front().push_back("EHLO " + situation->name);
    for (std::size_t i = 0; i < situation->ehlo.size(); ++i) {
      if (rows.size() < i + 2) rows.emplace_back();
      rows[i + 1].resize(std::max(rows[i + 1].size(), shown.size()));
      rows[i + 1][rows.front().size() - 1] = situation->ehlo[i];
    }
  }
  return text_table(rows);
}

// The rules that made a gate open or closed, once each.
Rows rule_rows(const Policy& policy, const Explanation& explanation) {
  std::vector<spec::Rule> told;
  for (const Situation& situation : explanation.situations) {
    for (const Gate& gate : situation.gates) {
      const spec::Rule rule = gate.decision.row->rule;
      if (std::ranges::find(told, rule) == told.end()) told.push_back(rule);
    }
  }
  std::ranges::sort(told);
  Rows rows{{"rule", "when", "source"}};
  for (const spec::Rule rule : told) {
    const spec::RuleRow& row = policy.rule(rule);
    rows.push_back({row.id, row.condition_text.empty() ? "(nothing before it holds)" : row.condition_text, row.source});
  }
  return rows;
}

}  // namespace

Rows gate_rows(const Explanation& explanation) {
  Rows rows{{"accepted?"}};
  for (const Situation& situation : explanation.situations) {
    std::vector<std::string> row{situation.name};
    for (const Gate& gate : situation.gates) {
      if (&situation == &explanation.situations.front()) rows.front().push_back(gate.name);
      const std::string reply = Policy::reply_text(gate.decision);
      row.push_back(gate.is_open ? "yes" : "no: " + reply.substr(0, reply.find(" (")));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string write_text(const Policy& policy, const Explanation& explanation) {
  std::string out = "PORT=" + std::to_string(explanation.configuration.port) + " " +
                    settings_text(policy, explanation.configuration) + "\n" +
                    facts_text(policy, explanation.configuration) + "\n\n";
  out += "May a password cross in clear? " + password_sentence(policy, explanation) + ".\n\n";
  for (const std::string& sentence : prose_of(policy, explanation)) out += wrapped(sentence, "  ") + "\n";
  out += "\n";
  if (!explanation.is_live()) {
    const spec::RuleRow& rule = policy.rule(explanation.start.row->rule);
    return out + "Decided by " + rule.id + ": if " + rule.condition_text + "  [" + rule.source + "]\n";
  }
  out += ehlo_side_by_side(explanation) + "\n" + text_table(gate_rows(explanation)) + "\n";
  return out + text_table(rule_rows(policy, explanation));
}

std::string write_text(const std::vector<Advice>& advice) {
  std::string out;
  for (const Advice& piece : advice) {
    std::string grade(name_of(piece.grade));
    grade.resize(8, ' ');
    out += wrapped(grade + " " + piece.text + " [" + piece.source + "]", "         ") + "\n";
  }
  return out;
}

std::string write_text(const PlaceInTable& place) {
  std::string out;
  for (const CellDistance& near : place.nearest) {
    const std::string marks = near.cell->marks.empty() ? "" : " (" + joined(near.cell->marks, ", ") + ")";
    const std::string cell = "\"" + name_of(*near.cell) + "\"" + marks;
    if (near.differs.empty())
      out += "table    this is the cell " + cell + "\n";
    else
      out += wrapped("table    nearest cell: " + cell + "; here " + joined(near.differs, ", "), "         ") + "\n";
  }
  for (const spec::Cell* cell : place.alike) out += "table    behaves like the cell \"" + name_of(*cell) + "\"\n";
  return out;
}

}  // namespace postern::audit
