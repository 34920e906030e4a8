// Parses the corpus once, by the machine and by hand, and says how many commands it holds: bench/instructions runs it
// under callgrind.
#include <cstdio>

#include "bench/command_corpus.hpp"
#include "bench/hand_parser.hpp"
#include "grammar/command.hpp"

int main() {
  const postern::bench::CommandCorpus corpus(2000);
  std::size_t understood = 0;
  for (const auto line : corpus.lines()) {
    if (postern::grammar::parse_command(line)) ++understood;
    if (postern::bench::parse_by_hand(line)) ++understood;
  }
  std::printf("%zu commands of %zu octets\n", corpus.lines().size(), corpus.octets());
  return understood == 2 * corpus.lines().size() ? 0 : 1;
}
