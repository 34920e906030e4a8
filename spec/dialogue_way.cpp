// The shortest dialogue to a state: breadth first from the start of its configuration.
#include <algorithm>
#include <cctype>
#include <deque>
#include <unordered_map>

#include "spec/check_laws.hpp"

namespace postern::spec {
namespace {

bool is_of_the_world(const Model& model, std::size_t event) {
  const std::string& name = model.events[event].name;
  if (name == "timeout" || name == "eof" || name == "too_slow" || name == "shutting_down" || name == "exhausted")
    return true;
  const auto& values = model.variables[model.waiting_variable()].values;
  return std::ranges::all_of(model.events[event].waiting, [&](std::size_t value) {
    return values[value] != "command" && values[value] != "mail_data" && values[value] != "plain_response" &&
           values[value] != "username" && values[value] != "password";
  });
}

std::string line_of_the_client(const Model& model, std::size_t event) {
  const std::string& name = model.events[event].name;
  const std::size_t dot = name.find('.');
  std::string line = name.substr(0, dot);
  std::ranges::transform(line, line.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return "C: " + line + (dot == std::string::npos ? "" : " (" + name.substr(dot + 1) + ")");
}

}  // namespace

std::uint64_t counted_bits(const Model& model) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < model.facts.size(); ++i) {
    if (model.facts[i].is_counted) bits |= bits_of(model.variables[model.settings.size() + i]);
  }
  return bits;
}

std::uint64_t configuration_bits(const Model& model) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i) bits |= bits_of(model.variables[i]);
  return bits & ~counted_bits(model);
}

Assignment to_assignment(std::uint64_t word, const Model& model) {
  Assignment assignment(model.variables.size(), 0);
  for (std::size_t i = 0; i < model.variables.size(); ++i) {
    const Variable& variable = model.variables[i];
    for (std::size_t value = variable.is_boolean ? 1 : 0; value < variable.values.size(); ++value) {
      if ((word & bit_of(variable, value)) != 0) assignment[i] = static_cast<std::uint8_t>(value);
    }
  }
  return assignment;
}

std::vector<Step> shortest_way(const Model& model, std::uint64_t word) {
  const std::uint64_t counted = counted_bits(model);
  const std::uint64_t goal = word & ~counted;
  const std::uint64_t start =
      to_word(start_of(model, to_assignment(goal & configuration_bits(model), model)), model.variables);
  std::unordered_map<std::uint64_t, Step> came_from;
  std::deque<std::uint64_t> todo{start};
  while (!todo.empty() && goal != start && !came_from.contains(goal)) {
    const std::uint64_t here = todo.front();
    todo.pop_front();
    const Assignment before = to_assignment(here, model);  // counts are 0: they only lead to the end
    for (std::size_t event = 0; event < model.events.size(); ++event) {
      const auto& waiting = model.events[event].waiting;
      if (std::ranges::find(waiting, before[model.waiting_variable()]) == waiting.end()) continue;
      const auto rule = interpret(model, event, before);
      if (!rule) continue;
      const std::uint64_t next = to_word(apply(model.rules[*rule], before), model.variables);
      if (next != start && came_from.try_emplace(next, Step{here, event, *rule}).second) todo.push_back(next);
    }
  }
  std::vector<Step> way;
  for (std::uint64_t at = goal; at != start && came_from.contains(at); at = way.back().word)
    way.push_back(came_from.at(at));
  std::ranges::reverse(way);
  return way;
}

std::vector<std::string> lines_of(const Model& model, const Step& step) {
  std::vector<std::string> lines;
  std::string first =
      is_of_the_world(model, step.event) ? "= " + model.events[step.event].name : line_of_the_client(model, step.event);
  for (std::size_t i = 0; i < model.facts.size(); ++i) {
    const Variable& fact = model.variables[model.settings.size() + i];
    if (model.facts[i].is_counted && (step.word & bits_of(fact)) != 0) first += "  (" + fact.name + ")";
  }
  lines.push_back(std::move(first));
  const RuleRow& rule = model.rules[step.rule];
  const ReplyText& reply = model.replies[rule.reply];
  if (reply.code != 0) lines.push_back("S: " + std::to_string(reply.code) + " " + reply.text);
  const Assignment before = to_assignment(step.word, model);
  for (const Capability& capability : model.capabilities) {
    if (reply.has_capability_lines && holds(capability.condition, before))
      lines.push_back("S: " + std::to_string(reply.code) + " " + capability.text);
  }
  if (model.effects[rule.effect].name == "close") lines.push_back("S closes");
  return lines;
}

std::string configuration_of(const Model& model, std::uint64_t word) {
  std::string text;
  for (std::size_t i = 0; i < model.settings.size() + model.facts.size(); ++i) {
    const Variable& variable = model.variables[i];
    if ((word & bits_of(variable) & ~counted_bits(model)) != 0)
      text += (text.empty() ? "" : " ") + variable.name + "=1";
  }
  return text.empty() ? "every setting and fact 0" : text;
}

}  // namespace postern::spec
