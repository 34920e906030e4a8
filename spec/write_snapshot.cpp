// The snapshot lists decisions, not rules: a reworded rule that decides alike leaves it unchanged, a change of policy
// is a readable diff. Per event a tree: each line tests one name; what decides alike for all values of a name leaves it
// out.
#include <algorithm>
#include <optional>

#include "spec/writers.hpp"

namespace postern::spec {
namespace {

std::string outcome(const Model& model, std::optional<std::size_t> rule_index) {
  if (!rule_index) return "no rule decides";  // verify() has refused such a spec
  const RuleRow& rule = model.rules[*rule_index];
  const ReplyText& reply = model.replies[rule.reply];
  std::string out = rule.id + ": " + (reply.code == 0 ? "no reply" : std::to_string(reply.code) + " " + reply.text);
  if (reply.is_mistake) out += "; a mistake";
  if (const std::string& effect = model.effects[rule.effect].name; effect != "none") out += "; " + effect;
  for (const Change& change : rule.then) {
    const Variable& variable = model.variables[change.variable];
    out += "; " + variable.name + " := " + variable.values[change.value];
  }
  return out;
}

// The lines below one node; a name on which nothing depends is left out.
std::string tree(const Model& model, std::size_t event, const std::vector<std::size_t>& names, std::size_t next,
                 Assignment& assignment, const std::string& indent) {
  if (next == names.size()) return indent + outcome(model, interpret(model, event, assignment)) + "\n";
  const Variable& variable = model.variables[names[next]];
  std::vector<std::string> branches;
  for (std::size_t value = 0; value < variable.values.size(); ++value) {
    assignment[names[next]] = static_cast<std::uint8_t>(value);
    branches.push_back(tree(model, event, names, next + 1, assignment, indent));
  }
  if (std::ranges::count(branches, branches.front()) == std::ssize(branches)) return branches.front();
  std::string out;
  for (std::size_t value = 0; value < branches.size(); ++value) {
    assignment[names[next]] = static_cast<std::uint8_t>(value);
    out += indent + variable.name + (variable.is_boolean ? "=" : " is ") + variable.values[value] + "\n" +
           tree(model, event, names, next + 1, assignment, indent + "  ");
  }
  return out;
}

void write_events(const Model& model, std::string& out) {
  const std::size_t waiting = model.waiting_variable();
  for (std::size_t event = 0; event < model.events.size(); ++event) {
    std::vector<std::size_t> names = support_of(model, event);
    std::erase(names, waiting);
    out += "\n" + model.events[event].name + "  (" + model.events[event].meaning + ")\n";
    if (model.events[event].is_auth_attempt) out += "  counts as an AUTH attempt\n";
    if (model.events[event].forgives_mistakes) out += "  forgives the mistakes so far\n";
    for (const std::size_t value : model.events[event].waiting) {
      Assignment assignment(model.variables.size(), 0);
      assignment[waiting] = static_cast<std::uint8_t>(value);
      out += "  waiting is " + model.variables[waiting].values[value] + "\n";
      out += tree(model, event, names, 0, assignment, "    ");
    }
  }
}

std::size_t event_of(const Model& model, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(model.events, name, &EventRow::name) - model.events.begin());
}

std::string capabilities_in(const Model& model, Assignment assignment, std::size_t channel) {
  assignment[model.variable_of("channel")] = static_cast<std::uint8_t>(channel);
  std::string out;
  for (const Capability& capability : model.capabilities) {
    if (holds(capability.condition, assignment)) out += (out.empty() ? "" : ", ") + capability.text;
  }
  return out;
}

void write_questions(const Model& model, std::string& out) {
  for (const QuestionText& question : model.questions) {
    out += question.name + ": asked by " + model.effects[question.effect].name + "; answered by";
    for (const EventRow& event : model.events) out += model.answers(event, question) ? " " + event.name : "";
    out += "; nobody there: " + model.events[question.nobody].name;
    out += question.seconds == 0 ? "\n" : ", also after " + std::to_string(question.seconds) + " seconds\n";
  }
}

// What the 64 settings do at the start and at EHLO, with the certificate there and a backend exactly when AUTH=1.
void write_settings(const Model& model, std::string& out) {
  const std::size_t count = model.settings.size();
  const std::size_t channel = model.variable_of("channel");
  for (std::size_t bits = 0; bits < (std::size_t{1} << count); ++bits) {
    Assignment assignment(model.variables.size(), 0);
    for (std::size_t i = 0; i < count; ++i) {
      assignment[i] = (bits >> (count - 1 - i)) & 1;
      out += (i == 0 ? "" : " ") + model.settings[i].name + "=" + std::to_string(assignment[i]);
    }
    assignment[model.variable_of("certificate")] = 1;
    assignment[model.variable_of("backend")] = assignment[model.variable_of("AUTH")];
    assignment = start_of(model, std::move(assignment));
    const auto decided = interpret(model, event_of(model, "connect.ready"), assignment);
    if (!decided) continue;
    const RuleRow& rule = model.rules[*decided];
    const ReplyText& reply = model.replies[rule.reply];
    out += "\n  " + rule.id + ": " + std::to_string(reply.code) + " " + reply.text + "\n";
    if (reply.code != 220) continue;
    const std::size_t first = assignment[channel];
    out +=
        "  EHLO, " + model.variables[channel].values[first] + ": " + capabilities_in(model, assignment, first) + "\n";
    if (first == 0) out += "  EHLO, starttls: " + capabilities_in(model, assignment, 1) + "\n";
  }
}

}  // namespace

std::string write_snapshot(const Model& model, const Reach& reach, const Laws& laws, const std::vector<Limit>& limits,
                           const std::vector<DecisionElsewhere>& elsewhere) {
  std::string out =
      "The policy, every decision of it, written from spec/*.toml by spec/generate.cpp. Not edited by hand.\n"
      "configurations (settings x facts): " +
      std::to_string(reach.configurations) +
      "\nstates a session can be in, over all configurations: " + std::to_string(reach.states) +
      "\ndecisions (configuration, state, event): " + std::to_string(reach.decisions) +
      "\nrules: " + std::to_string(model.rules.size()) + ", events: " + std::to_string(model.events.size()) +
      ", replies: " + std::to_string(model.replies.size()) + "\n\n== decisions, per event ==\n";
  write_events(model, out);
  out += "\n== questions ==\n\n";
  write_questions(model, out);
  out += "\n== the settings, with a certificate, and a backend exactly when AUTH=1 ==\n\n";
  write_settings(model, out);
  out += "\n== ciphers of TLS 1.2, where TLSCIPHERS names none ==\n\n";
  for (const CipherList& list : model.cipher_lists)
    out += (list.condition_text.empty() ? "otherwise" : "if " + list.condition_text) + ": " + list.ciphers + "\n";
  return out + write_snapshot_of_texts(model) + write_snapshot_of_elsewhere(elsewhere) +
         write_snapshot_of_limits(limits) + write_snapshot_of_laws(laws);
}

}  // namespace postern::spec
