// A condition as a reduced ordered decision diagram: the same text for every way to write one condition.
// in      an Expression of the spec, over these variables
// out     `T`, `F`, or the nodes, each after those it leads to: `1:AUTH(0>F;1>T)`. Variables, and the values of one, stand
//         in the order of their names
// source  docs/proof.md
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "spec/expression.hpp"

namespace postern::proptests {

class Diagrams {
 public:
  explicit Diagrams(const std::vector<spec::Variable>& variables);

  [[nodiscard]] std::string text(const spec::Expression& condition);

 private:
  using Number = std::size_t;                                // of a node; 0 never holds, 1 always does
  using Node = std::pair<std::string, std::vector<Number>>;  // a variable, and a child for each of its values

  [[nodiscard]] Number of(const spec::Expression& condition);
  [[nodiscard]] Number atom(const spec::Expression& condition);
  [[nodiscard]] Number node(Node node);
  [[nodiscard]] Number turned(Number number);
  [[nodiscard]] Number both(Number a, Number b);
  [[nodiscard]] Number child(Number number, const std::string& variable, std::size_t value) const;
  void write(Number number, std::map<Number, std::string>& names, std::string& out) const;

  const std::vector<spec::Variable>& variables_;
  std::map<std::string, std::vector<std::string>> values_;  // sorted
  std::vector<Node> nodes_;
  std::map<Node, Number> numbers_;
};

}  // namespace postern::proptests
