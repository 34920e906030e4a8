// Any octets as the inside of a JSON string, one character at a time, so that a writer can stop between two.
// in      octets, at least one; UTF-8 or not
// out     Escaped: what to write for the first character, and how many octets it took. Control characters, and those that
//         turn or break a line on a terminal, as \uHHHH; a backslash and each octet that is not UTF-8 as the four
//         characters \xHH, so that the decoded value distinguishes octets and characters
// errors  none; allocates nothing
// source  RFC 8259 7; RFC 3629 3, 4; deviation D17
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace postern::base {

struct Escaped {
  std::array<char, 6> octets;
  std::size_t size;   // of octets
  std::size_t taken;  // of the input

  [[nodiscard]] std::string_view text() const { return {octets.data(), size}; }
};

[[nodiscard]] Escaped escape_for_json(std::string_view octets);

}  // namespace postern::base
