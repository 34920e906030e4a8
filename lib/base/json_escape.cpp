#include "base/json_escape.hpp"

#include <algorithm>
#include <cstdint>

namespace postern::base {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

struct Character {
  std::uint32_t code;
  std::size_t octets;  // 0: not UTF-8
};

// RFC 3629 3, 4: the shortest form only, no surrogates, at most U+10FFFF.
Character first_of(std::string_view text) {
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t octets = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc0 || lead > 0xf4 || text.size() < octets) return {0, 0};
  std::uint32_t code = lead & (0x7fU >> octets);
  for (const char octet : text.substr(1, octets - 1)) {
    if ((static_cast<unsigned char>(octet) & 0xc0U) != 0x80) return {0, 0};
    code = code << 6U | (static_cast<unsigned char>(octet) & 0x3fU);
  }
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least[octets] || code > 0x10ffff || is_surrogate ? Character{0, 0} : Character{code, octets};
}

// Controls, line and paragraph separators, and what changes the direction of writing.
bool is_treacherous(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

Escaped as_unicode(Character character) {
  const std::uint32_t code = character.code;
  return {
      {'\\', 'u', digits[code >> 12U & 15U], digits[code >> 8U & 15U], digits[code >> 4U & 15U], digits[code & 15U]},
      6,
      character.octets};
}

Escaped as_octet(char octet) {
  const auto value = static_cast<unsigned char>(octet);
  return {{'\\', '\\', 'x', digits[value >> 4U], digits[value & 15U], 0}, 5, 1};
}

}  // namespace

Escaped escape_for_json(std::string_view octets) {
  const Character character = first_of(octets);
  if (character.octets == 0 || character.code == '\\') return as_octet(octets[0]);
  if (character.code == '"') return {{'\\', '"'}, 2, 1};
  if (is_treacherous(character.code)) return as_unicode(character);
  Escaped plain{.octets = {}, .size = character.octets, .taken = character.octets};
  std::ranges::copy(octets.substr(0, character.octets), plain.octets.begin());
  return plain;
}

}  // namespace postern::base
