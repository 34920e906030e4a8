// Every law on every decision of every configuration, quickly: a clause becomes, per event and rule, bit patterns of
// the state before. (proptests/exhaustive_laws.cpp does the same slowly and obviously, and both must agree.)
// in      a Model that verify() has passed, the Laws
// out     Breaches; explain() names the law, the rule and a shortest dialogue that gets there
// source  spec/laws.toml
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "spec/laws.hpp"

namespace postern::spec {

struct Breach {
  enum class Of : std::uint8_t { invariant, law, possibility };
  Of of = Of::law;
  std::size_t index = 0, clause = 0;
  std::uint64_t word = 0;  // the state before, with its configuration; of a possibility the start
  std::size_t event = 0, rule = 0;

  [[nodiscard]] const std::string& name(const Laws& laws) const;
};

enum class Search : std::uint8_t { first_breach, every_law };

// Where each rule decides: (the state before, the event). A change of replies, codes or effects leaves it as it is.
using Decisions = std::vector<std::vector<std::pair<std::uint64_t, std::size_t>>>;
[[nodiscard]] Decisions decisions_of(const Model& model);
// The first breach of a law in the decisions of these rules; possibilities are not asked.
[[nodiscard]] std::vector<Breach> find_breach_at(const Model& model, const Laws& laws, const Decisions& decisions,
                                                 const std::vector<std::size_t>& rules);
// At most one breach a law, the one with the shortest dialogue, when every law is asked for.
[[nodiscard]] std::vector<Breach> find_breaches(const Model& model, const Laws& laws, Search search);
[[nodiscard]] std::string explain(const Model& model, const Laws& laws, const Breach& breach);
void check_laws(const Model& model, const Laws& laws, Problems& problems);

// A step of a session: the state before, counts included, and what decides there.
struct Step {
  std::uint64_t word;
  std::size_t event, rule;
};
// The shortest way from the start of the word's configuration to its state; not without a way.
[[nodiscard]] std::vector<Step> shortest_way(const Model& model, std::uint64_t word);
// `C: MAIL (valid)`, `S: 250 ok`, `= handshake.done`: two or one lines a step.
[[nodiscard]] std::vector<std::string> lines_of(const Model& model, const Step& step);
// `FORCE_TLS=1 certificate=1`: what is not 0 among settings and facts.
[[nodiscard]] std::string configuration_of(const Model& model, std::uint64_t word);

// Bits of the counted facts: they may have any value at any time.
[[nodiscard]] std::uint64_t counted_bits(const Model& model);
// Bits of settings and of the facts that hold for the whole connection.
[[nodiscard]] std::uint64_t configuration_bits(const Model& model);
[[nodiscard]] Assignment to_assignment(std::uint64_t word, const Model& model);

}  // namespace postern::spec
