// Strict base64: the alphabet, whole quantums, padding only at the end and only with zero bits before it. One leniency:
//   lenient_trailing_blanks  `dGlt \t`  spaces and tabs after the last character
// in      the characters of an AUTH response, without CRLF
// out     octets written to `out`, which may be the input's own storage (each write stands before the next read)
// errors  the offset of the first character that does not fit; allocates nothing
// source  RFC 4648 4; RFC 4954 4; deviation D14
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string_view>

namespace postern::grammar {

// `out` holds at least text.size() / 4 * 3 octets.
[[nodiscard]] std::expected<std::size_t, std::size_t> decode_base64(std::string_view text, std::span<char> out);

}  // namespace postern::grammar
