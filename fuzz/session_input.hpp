// How a script of a session stands in the octets of a fuzzer.
// in      [settings] [facts and limits] [cut] then what the client sends, these octets being what befalls the session:
//           0xF0 handshake.done   0xF1 handshake.failed   0xF2 timeout   0xF3 eof
//           0xF8 ... 0xFF         how the next look-up ends (proptests/script.hpp: outcome_for)
// out     Script and Cut; and back, for seeds
// errors  none: every input is some script
// source  spec/settings.toml (the order of settings and facts); proptests/script.hpp
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "proptests/script.hpp"

namespace postern::fuzz {

struct SessionInput {
  proptests::Script script;
  tests::Cut cut;
};

[[nodiscard]] SessionInput read_session_input(std::span<const std::uint8_t> octets);
[[nodiscard]] std::string write_session_input(const SessionInput& input);

}  // namespace postern::fuzz
