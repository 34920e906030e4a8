// Which sessions end differently under two configurations: the first decision at which they part, for each way to part.
// in      two configurations
// out     Partings, the shortest witness each; a session changes its outcome exactly when it comes by one of them
// how     breadth first through pairs of states, the same happens to both sides; a pair is left where one side accepts and
//         the other refuses, or where the server goes on to do another thing. Counted facts have every value, on both sides
// source  spec/policy.toml
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/configuration.hpp"
#include "audit/policy.hpp"

namespace postern::audit {

enum class Change : std::uint8_t {
  refused_now,   // accepted by A, refused by B
  accepted_now,  // the other way round
  other_effect,  // both accept or both refuse, and the session continues differently
  other_lines,   // EHLO advertises something else
  other_reply,   // another code or other words; the session goes on alike
  other_rule,    // no client can see it
};
[[nodiscard]] std::string_view name_of(Change change);

struct Told {
  Decision a, b;  // of the same event
};

struct Parting {
  Change change{};
  std::vector<spec::Event> events;  // by which it happens
  std::size_t states = 0;           // pairs of states in which it does
  std::vector<Told> witness;        // from the start; the last one is the parting
};

struct Difference {
  std::vector<Parting> partings;  // by change, then by rule
  std::size_t pairs = 0;          // of states looked at
  std::size_t decisions = 0;      // compared
  std::size_t same = 0;           // of these, alike
};

[[nodiscard]] Difference find_difference(const Policy& policy, spec::Guards a, spec::Guards b);

// The witness as a dialogue file for one of the two; empty when it cannot be shown.
[[nodiscard]] std::string witness_file(const Policy& policy, const std::vector<Told>& witness, bool is_a);

}  // namespace postern::audit
