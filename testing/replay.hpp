// Replays a dialogue on an engine::Session, with its client cut into pieces one way or another.
// in      a Dialogue, a Cut, what serves after STARTTLS
// out     Replay: what the server did, every decision; listings in the words of a .smtp file
// errors  Replay::problem, empty when all went as it must
// source  docs/decisions/0003-rooms.md
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "audit/dialogue.hpp"
#include "testing/driver.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

// Pieces never reach over an event of the world: that happens when everything before it was sent and served.
struct Cut {
  enum class How : std::uint8_t { whole, in_two, in_pieces };
  How how = How::whole;
  std::size_t octets = 0;  // of the first of two, or of each piece
};

struct Replay {
  std::vector<audit::Item> heard;
  std::vector<Decision> decisions;
  std::string problem;

  friend bool operator==(const Replay&, const Replay&) = default;
};

// see   sees every decision as it is taken
[[nodiscard]] Replay replay(const audit::Dialogue& dialogue, Cut cut, AfterStarttls after_starttls,
                            std::function<void(const Moment&)> see = {});

// The dialogue as it should be, and as it is when the client waits where the file has it wait; to be compared by lines.
[[nodiscard]] std::vector<std::string> listing(const audit::Dialogue& dialogue);
[[nodiscard]] std::vector<std::string> listing_of_replay(const audit::Dialogue& dialogue);

// Empty when they are equal; else the lines that differ, `-` wanted and `+` found, with what surrounds them.
[[nodiscard]] std::string difference(const std::vector<std::string>& wanted, const std::vector<std::string>& found);

// For messages of failed tests: one line a decision and a line of the server.
[[nodiscard]] std::vector<std::string> lines_of(const Replay& replay);

}  // namespace postern::testing
