// Which edges of the Ragel machines were taken. The copies of grammar/*.rl that the program `edges` is built from name
// take_edge() in their `getkey`, so that the machines themselves, as Ragel writes them, tell every step.
// in      machine, state before the octet, and the octet as the machine reads it (its class, where there are classes)
// out     that octet; taken(): all steps, in order
#pragma once

#include <set>
#include <string>
#include <tuple>

namespace postern::fuzz {

using Edge = std::tuple<std::string, int, int>;

[[nodiscard]] inline std::set<Edge>& taken_edges() {
  static std::set<Edge> edges;
  return edges;
}

template <typename Key>
[[nodiscard]] Key take_edge(const char* machine, int state, Key key) {
  taken_edges().emplace(machine, state, key);
  return key;
}

}  // namespace postern::fuzz
