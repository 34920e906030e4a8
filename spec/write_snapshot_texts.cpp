// The parts of the snapshot that are no decisions: defaults, replies, capabilities, what a hand-over says, decisions
// outside the table, limits, laws.
#include "spec/writers.hpp"

namespace postern::spec {
namespace {

std::string write_law(const Law& law, const std::vector<Law>& invariants) {
  std::string out = law.name + ": " + law.sentence + "\n";
  for (const Clause& clause : law.never) {
    const Conjunct& first = clause.conjuncts.front();
    out += "  never " + clause.text + (first.is_scope ? "  (only " + first.text + ")" : "") + "\n";
  }
  std::string by;
  for (const std::size_t invariant : law.by) by += (by.empty() ? "  by " : ", ") + invariants[invariant].name;
  return out + by + (by.empty() ? "" : "\n");
}

std::string write_cells(const Model& model) {
  std::string out;
  for (const Cell& cell : model.cells) {
    out += cell.encryption + ", AUTH " + cell.auth + ":";
    for (const auto& [name, value] : cell.settings) out += " " + name + "=" + std::to_string(value);
    for (const std::string& mark : cell.marks) out += " [" + mark + "]";
    out += "\n";
  }
  return out;
}

}  // namespace

std::string write_snapshot_of_texts(const Model& model) {
  std::string out = "\n== defaults of the settings ==\n\n";
  for (const Setting& setting : model.settings)
    out += setting.name + " = " + setting.default_value +
           (setting.when_unreadable ? ", and 1 where it cannot be read" : "") + "\n";
  out += "\n== theorems ==\n\n";
  for (const Derived& derived : model.derived) {
    if (derived.is_theorem) out += derived.name + ": " + derived.text + "\n";
  }
  out += "\n== the seed's table ==\n\n" + write_cells(model) + "\n== replies ==\n\n";
  for (const ReplyText& reply : model.replies) {
    const std::string enhanced = reply.enhanced.empty() ? "" : " [" + reply.enhanced + "]";
    out += reply.name + ": " + std::to_string(reply.code) + enhanced + " " + reply.text +
           (reply.has_capability_lines ? ", and the capabilities" : "") + "\n";
  }
  out += "\n== capabilities, in the order of the reply to EHLO ==\n\n";
  for (const Capability& capability : model.capabilities)
    out += capability.text + (capability.condition_text.empty() ? "" : ": " + capability.condition_text) + "\n";
  out += "\n== texts of a hand-over ==\n\n";
  for (const HandOverTextRow& row : model.hand_over_texts) out += row.name + ": " + row.text + "\n";
  out += "\n== exit codes of qmail-queue: the first row that fits ==\n\n";
  for (const QueueExit& exit : model.queue_exits) {
    out += std::to_string(exit.first) + (exit.last == exit.first ? "" : " to " + std::to_string(exit.last)) +
           (exit.is_permanent ? ", refused: " : ", deferred: ") + exit.text + "\n";
  }
  return out;
}

std::string write_snapshot_of_elsewhere(const std::vector<DecisionElsewhere>& elsewhere) {
  std::string out = "\n== decisions outside the table ==\n\n";
  for (const DecisionElsewhere& decision : elsewhere) out += decision.name + ": " + decision.decides + "\n";
  return out;
}

std::string write_snapshot_of_limits(const std::vector<Limit>& limits) {
  std::string out = "\n== limits ==\n\n";
  for (const Limit& limit : limits) out += limit.name + " = " + limit.value + "\n";
  return out;
}

std::string write_snapshot_of_laws(const Laws& laws) {
  std::string out = "\n== names of the laws ==\n\n";
  for (const LawName& name : laws.names) out += name.name + ": " + name.text + "\n";
  out += "\n== invariants ==\n\n";
  for (const Law& law : laws.invariants) out += write_law(law, laws.invariants);
  out += "\n== laws ==\n\n";
  for (const Law& law : laws.laws) out += write_law(law, laws.invariants);
  out += "\n== possibilities ==\n\n";
  for (const Possibility& law : laws.possibilities)
    out += law.name + ": " + law.sentence + "\n  when " + law.when_text + "\n  some " + law.some_text + "\n";
  return out;
}

}  // namespace postern::spec
