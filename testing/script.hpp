// A session as a generator or the fuzzer makes it up: what the client sends, what happens to it, how look-ups end.
// in      Script; how the client's octets are cut
// out     Played: what the server did, and the first law that was broken
// source  testing/laws.hpp; testing/driver.hpp
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spec/policy_row.hpp"
#include "testing/driver.hpp"
#include "testing/judge.hpp"
#include "testing/replay.hpp"

namespace postern::testing {

// Octets of the client; then, when the session waits for such a thing, an event of the world.
struct Part {
  std::string octets;
  std::optional<spec::Event> then;
};

struct Script {
  spec::Guards settings_and_facts;
  std::uint64_t databytes = 0;
  std::size_t max_recipients = spec::max_recipients;
  bool has_room = true;
  bool asks_at_data = false;
  std::vector<std::uint8_t> fates;  // how the first, second, ... look-up ends; used again from the front
  std::vector<Part> parts;
};

struct Played {
  Replay replay;
  std::string broken_law;  // or what the second opinion says; empty: all is well
};

[[nodiscard]] Played play(const Judge& judge, const Script& script, Cut cut, AfterStarttls after_starttls);

// How a look-up ends, by its fate.
[[nodiscard]] spec::Event outcome_for(spec::Guards guards, std::uint8_t fate);

}  // namespace postern::testing
