// How a script of a session stands in the octets of a fuzzer.
// in      [settings] [facts, limits, how it starts] [cut] [how look-ups end: two to an octet, four octets, used again from
//         the front; testing/script.hpp: outcome_for] then what the client sends, these octets being what happens to it:
//           0xF0 handshake.done   0xF1 handshake.failed   0xF2 timeout   0xF3 eof   0xF4 too_slow   0xF5 shutting_down
//           0xF6 mail data for ever, when the octet after it is the sum of all before (it is slow, and must be meant)
//           0xF7 long_octets times `x`; so often at most_long only
//           0xF8 exhausted
// out     SessionView, which copies nothing, and BodyReader; Script and Cut, which do copy; and back, for seeds
// errors  none: every input is some script
// start   the upper half of its octet, and 16 more when the highest bit of the settings is set: 0 and numbers that mean nothing
//         are connect.ready, 1 is the first other event of the start
// limits  databytes 100 and two recipients, or none where the cut is 7 modulo 8; no room for a message where it is 6, and each is
//         judged before it comes where it is 4
// source  spec/settings.toml (the order of settings and facts); spec/events.toml (of the start); testing/script.hpp
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "testing/script.hpp"

namespace postern::fuzz {

inline constexpr std::size_t head_octets = 7;
inline constexpr std::size_t fate_count = 8;
inline constexpr std::size_t long_octets = spec::max_command_line_octets;
inline constexpr unsigned most_long = 8;

// Points into the octets that were read.
struct SessionView {
  spec::Guards settings_and_facts;
  spec::Event start = spec::Event::connect_ready;
  std::uint64_t databytes = 0;
  std::size_t max_recipients = spec::max_recipients;
  bool has_room = true;
  bool asks_at_data = false;
  std::size_t piece_octets = 1;
  std::array<std::uint8_t, fate_count> fates{};
  std::string_view body;
};

struct SessionInput {
  spec::Event start = spec::Event::connect_ready;
  testing::Script script;
  testing::Cut cut;
};

[[nodiscard]] SessionView view_session_input(std::span<const std::uint8_t> octets);
// What an octet of the body stands for, when it is not the client's.
[[nodiscard]] inline bool is_world(char octet) { return static_cast<unsigned char>(octet - '\xF0') < 9; }

// Octets of the client, or something that happens to him.
struct BodyPart {
  std::string_view octets;
  std::optional<spec::Event> event;
  bool is_endless = false;  // the octets are sent again and again
  std::size_t at = 0;       // where in the body the event stands
};

class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : body_(body) {}
  // Nothing at the end of the body.
  [[nodiscard]] std::optional<BodyPart> next();

 private:
  [[nodiscard]] bool is_meant(std::size_t at) const;

  std::string_view body_;
  std::size_t at_ = 0;
  unsigned long_ones_ = 0;
};

[[nodiscard]] SessionInput read_session_input(std::span<const std::uint8_t> octets);
[[nodiscard]] std::string write_session_input(const SessionInput& input);

}  // namespace postern::fuzz
