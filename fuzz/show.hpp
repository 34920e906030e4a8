// An input as a human reads it.
// out     show_session: the session as tests/dialogues/*.smtp would have it, with what the server says, ready to be kept
//         as a dialogue; show_octets: escaped lines
// source  fuzz/session_input.hpp; tests/dialogue.hpp
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace postern::fuzz {

[[nodiscard]] std::string show_session(std::span<const std::uint8_t> octets);
[[nodiscard]] std::string show_octets(std::span<const std::uint8_t> octets);

}  // namespace postern::fuzz
