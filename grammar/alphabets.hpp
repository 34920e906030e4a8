// The two alphabets that the command machine is built over; both accept the same language, which a test checks.
// in, out, errors  as parse_command
#pragma once

#include <expected>
#include <string_view>

#include "grammar/command.hpp"

namespace postern::grammar {

struct Classes {};  // the classes of octets.rl: what parse_command uses
struct Octets {};   // the octets themselves: postern_grammar_oracle

[[nodiscard]] std::expected<Command, SyntaxError> parse_command_over(Classes, std::string_view line);
[[nodiscard]] std::expected<Command, SyntaxError> parse_command_over(Octets, std::string_view line);

}  // namespace postern::grammar
