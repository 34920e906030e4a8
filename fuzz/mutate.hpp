// Changes what a client sends as a client's author, or its enemy, would: by words, lines, line ends, dots, base64.
// in      octets in a room of some size, and a seed; the same seed does the same. One change in five is libFuzzer's own
// out     the new size
// mutate_session  octets as fuzz/session_input.hpp has them: settings, cuts, fates and events too; where a STARTTLS
//                 stands in the session is moved
// cross_sessions  the head of one session and the lines of both, spliced where lines begin
// source  fuzz/make_words.cpp writes the words
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace postern::fuzz {

[[nodiscard]] std::size_t mutate_session(std::span<std::uint8_t> room, std::size_t size, unsigned seed);
[[nodiscard]] std::size_t mutate_lines(std::span<std::uint8_t> room, std::size_t size, unsigned seed);
[[nodiscard]] std::size_t cross_sessions(std::span<const std::uint8_t> one, std::span<const std::uint8_t> other,
                                         std::span<std::uint8_t> out, unsigned seed);

}  // namespace postern::fuzz
