// parse_command as one would write it by hand: memchr, a table of octet classes, and pointers.
// in, out, errors  as grammar::parse_command, with the same results
// source           RFC 5321 4.1.1, 4.1.2, 4.1.3; RFC 1870 3; RFC 6152 2; RFC 4954 4, 5
#pragma once

#include <expected>
#include <string_view>

#include "grammar/command.hpp"

namespace postern::bench {

[[nodiscard]] std::expected<grammar::Command, grammar::SyntaxError> parse_by_hand(std::string_view line);

}  // namespace postern::bench
