#include "proptests/diagram.hpp"

#include <algorithm>

namespace postern::proptests {

using Kind = spec::Expression::Kind;

Diagrams::Diagrams(const std::vector<spec::Variable>& variables) : variables_(variables), nodes_(2) {
  for (const spec::Variable& variable : variables) {
    values_[variable.name] = variable.values;
    std::ranges::sort(values_[variable.name]);
  }
}

std::string Diagrams::text(const spec::Expression& condition) {
  const Number number = of(condition);
  std::map<Number, std::string> names{{0, "F"}, {1, "T"}};
  if (number < 2) return names[number];
  std::string out;
  write(number, names, out);
  return out;
}

Diagrams::Number Diagrams::of(const spec::Expression& condition) {
  switch (condition.kind) {
    case Kind::always: return 1;
    case Kind::atom: return atom(condition);
    case Kind::negation: return turned(of(condition.parts[0]));
    case Kind::conjunction: return both(of(condition.parts[0]), of(condition.parts[1]));
    case Kind::disjunction: return turned(both(turned(of(condition.parts[0])), turned(of(condition.parts[1]))));
  }
  std::unreachable();
}

Diagrams::Number Diagrams::atom(const spec::Expression& condition) {
  const spec::Variable& variable = variables_[condition.variable];
  Node result{variable.name, {}};
  for (const std::string& value : values_[variable.name])
    result.second.push_back(value == variable.values[condition.value] ? 1 : 0);
  return node(std::move(result));
}

Diagrams::Number Diagrams::node(Node node) {
  const bool is_idle = std::ranges::count(node.second, node.second.front()) == std::ssize(node.second);
  if (is_idle) return node.second.front();
  const auto [place, is_new] = numbers_.try_emplace(node, nodes_.size());
  if (is_new) nodes_.push_back(std::move(node));
  return place->second;
}

Diagrams::Number Diagrams::turned(Number number) {
  if (number < 2) return 1 - number;
  Node result = nodes_[number];
  for (Number& next : result.second) next = turned(next);
  return node(std::move(result));
}

Diagrams::Number Diagrams::both(Number a, Number b) {
  if (a == b || b == 1) return a;
  if (a == 1) return b;
  if (a == 0 || b == 0) return 0;
  Node result{std::min(nodes_[a].first, nodes_[b].first), {}};
  const std::size_t values = values_[result.first].size();
  for (std::size_t value = 0; value < values; ++value)
    result.second.push_back(both(child(a, result.first, value), child(b, result.first, value)));
  return node(std::move(result));
}

Diagrams::Number Diagrams::child(Number number, const std::string& variable, std::size_t value) const {
  return nodes_[number].first == variable ? nodes_[number].second[value] : number;
}

void Diagrams::write(Number number, std::map<Number, std::string>& names, std::string& out) const {
  const auto& [variable, children] = nodes_[number];
  const std::vector<std::string>& values = values_.at(variable);
  std::vector<std::pair<Number, std::string>> branches;
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!names.contains(children[i])) write(children[i], names, out);
    const auto branch = std::ranges::find(branches, children[i], &std::pair<Number, std::string>::first);
    if (branch == branches.end())
      branches.emplace_back(children[i], values[i]);
    else
      branch->second += "," + values[i];
  }
  const std::string name = std::to_string(names.size() - 1);
  names[number] = name;
  out += (out.empty() ? "" : " ") + name + ":" + variable + "(";
  for (std::size_t i = 0; i < branches.size(); ++i)
    out += (i == 0 ? "" : ";") + branches[i].second + ">" + names[branches[i].first];
  out += ")";
}

}  // namespace postern::proptests
