// State diagrams: one machine for each state variable of the spec, with the rules that change its value.
// out     DOT for Graphviz; each edge has an id, and the rules that take it
// how     edges are decisions that some session of some configuration can come to
// source  spec/settings.toml ([[state]]); spec/policy.toml
#pragma once

#include <string>
#include <vector>

#include "audit/policy.hpp"

namespace postern::audit {

struct DiagramEdge {
  std::string id;                 // `waiting-3`
  std::size_t from = 0, to = 0;   // values of the variable
  std::vector<spec::Rule> rules;  // in the order of policy.toml
};

struct Diagram {
  std::string name;  // of the state variable
  std::string meaning;
  std::vector<DiagramEdge> edges;
  std::string dot;
};

[[nodiscard]] std::vector<Diagram> diagrams_of(const Policy& policy);

// The diagram as SVG, drawn by the program `dot`; empty when it is not installed or fails.
[[nodiscard]] std::string svg_of(const Diagram& diagram);

}  // namespace postern::audit
