// How a script of a session stands in the octets of a fuzzer.
// in      [settings] [facts and limits] [cut] [how look-ups end: two to an octet, four octets, used again from the front;
//         proptests/script.hpp: outcome_for] then what the client sends, these octets being what befalls the session:
//           0xF0 handshake.done   0xF1 handshake.failed   0xF2 timeout   0xF3 eof   0xF4 too_slow   0xF5 shutting_down
// out     SessionView, which copies nothing; Script and Cut, which do; and back, for seeds
// errors  none: every input is some script
// source  spec/settings.toml (the order of settings and facts); proptests/script.hpp
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proptests/script.hpp"

namespace postern::fuzz {

inline constexpr std::size_t head_octets = 7;
inline constexpr std::size_t fate_count = 8;

// Points into the octets that were read.
struct SessionView {
  spec::Guards settings_and_facts;
  std::uint64_t databytes = 0;
  std::size_t max_recipients = spec::max_recipients;
  std::size_t piece_octets = 1;
  std::array<std::uint8_t, fate_count> fates{};
  std::string_view body;
};

struct SessionInput {
  proptests::Script script;
  tests::Cut cut;
};

[[nodiscard]] SessionView view_session_input(std::span<const std::uint8_t> octets);
// What an octet of the body stands for, when it is not the client's.
[[nodiscard]] inline bool is_world(char octet) { return octet >= '\xF0' && octet <= '\xF5'; }
[[nodiscard]] spec::Event world_of(char octet);

[[nodiscard]] SessionInput read_session_input(std::span<const std::uint8_t> octets);
[[nodiscard]] std::string write_session_input(const SessionInput& input);

}  // namespace postern::fuzz
