#include "audit/diagram.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "audit/text.hpp"

namespace postern::audit {
namespace {

// Graphviz wants a colour; the page wants its own, in light and dark.
constexpr std::string_view ink = "#010203", faint = "#040506";

using Moves = std::map<std::pair<std::size_t, std::size_t>, std::set<spec::Rule>>;

std::size_t value_in(const spec::Variable& variable, spec::Guards guards) {
  for (std::size_t value = 0; value < variable.values.size(); ++value) {
    if (guards.has(spec::bit_of(variable, value))) return value;
  }
  return 0;
}

// Every change of every state variable, over all configurations.
std::vector<Moves> all_moves(const Policy& policy) {
  const spec::Model& model = policy.model();
  std::vector<Moves> moves(model.states.size());
  for (const spec::Guards configuration : policy.configurations()) {
    for (const Decision& decision : policy.walk(configuration)) {
      for (std::size_t i = 0; i < model.states.size(); ++i) {
        const spec::Variable& variable = model.variables[model.states[i].variable];
        const std::size_t from = value_in(variable, decision.before), to = value_in(variable, decision.after);
        if (from != to) moves[i][{from, to}].insert(decision.row->rule);
      }
    }
  }
  return moves;
}

// At most a few names, the others counted.
std::string label_of(const DiagramEdge& edge) {
  constexpr std::size_t most = 6;
  std::string label;
  for (std::size_t i = 0; i < edge.rules.size() && i < most; ++i)
    label += std::string(i == 0 ? "" : "\\n") + std::string(spec::name_of(edge.rules[i]));
  if (edge.rules.size() > most) label += "\\nand " + std::to_string(edge.rules.size() - most) + " more";
  return label;
}

std::string dot_of(const spec::Variable& variable, const Diagram& diagram) {
  std::string out = "digraph " + diagram.name + " {\n  bgcolor=transparent; rankdir=TB; nodesep=0.35; ranksep=0.55;\n";
  out += "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=13, color=\"" + std::string(ink) +
         "\", fontcolor=\"" + std::string(ink) + "\"];\n";
  out += "  edge [fontname=\"sans-serif\", fontsize=9, arrowsize=0.7];\n";
  for (const std::string& value : variable.values) out += "  \"" + value + "\";\n";
  for (const DiagramEdge& edge : diagram.edges) {
    const bool is_end = variable.values[edge.to] == "end";
    const std::string colour(is_end ? faint : ink);
    out += "  \"" + variable.values[edge.from] + "\" -> \"" + variable.values[edge.to] + "\" [id=\"" + edge.id +
           "\", label=\"" + label_of(edge) + "\", color=\"" + colour + "\", fontcolor=\"" + colour + "\"];\n";
  }
  return out + "}\n";
}

std::string output_of(const std::string& command) {
  std::string out;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char octets[4096];
  while (const std::size_t size = std::fread(octets, 1, sizeof octets, pipe)) out.append(octets, size);
  return pclose(pipe) == 0 ? out : std::string();
}

}  // namespace

std::vector<Diagram> diagrams_of(const Policy& policy) {
  const spec::Model& model = policy.model();
  const std::vector<Moves> moves = all_moves(policy);
  std::vector<Diagram> diagrams;
  for (std::size_t i = 0; i < model.states.size(); ++i) {
    const spec::Variable& variable = model.variables[model.states[i].variable];
    Diagram diagram{.name = variable.name, .meaning = model.states[i].meaning, .edges = {}, .dot = {}};
    for (const auto& [ends, rules] : moves[i])
      diagram.edges.push_back({variable.name + "-" + std::to_string(diagram.edges.size()),
                               ends.first,
                               ends.second,
                               {rules.begin(), rules.end()}});
    diagram.dot = dot_of(variable, diagram);
    diagrams.push_back(std::move(diagram));
  }
  return diagrams;
}

std::string svg_of(const Diagram& diagram) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("postern-" + std::to_string(getpid()) + ".dot");
  std::ofstream(file) << diagram.dot;
  std::string svg = output_of("dot -Tsvg " + file.string() + " 2>/dev/null");
  std::filesystem::remove(file);
  svg.erase(0, std::min(svg.find("<svg"), svg.size()));
  svg = replaced(replaced(std::move(svg), ink, "currentColor"), faint, "var(--faint)");
  return replaced(replaced(std::move(svg), "id=\"graph0\"", ""), "id=\"node", "id=\"" + diagram.name + "-node");
}

}  // namespace postern::audit
