// Says what parse_command makes of lines, for proptests/abnf/compiled.py.
//   say_commands <LINES
// in      a line of hexadecimal digits for each command line
// out     a line each: `unknown`, `error OFFSET`, or `ok VERB` and the fields as offset and length (-1 0: not there)
// errors  none
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "grammar/command.hpp"

namespace postern::proptests {
namespace {

using grammar::Command;

std::string from_hex(std::string_view digits) {
  std::string octets;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    octets += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return octets;
}

void say_field(std::string_view field, std::string_view line) {
  if (field.data() == nullptr) return static_cast<void>(std::printf(" -1 0"));
  std::printf(" %td %zu", field.data() - line.data(), field.size());
}

void say(const Command& command, std::string_view line) {
  std::printf("ok %d", static_cast<int>(command.verb));
  for (const auto field :
       {command.path.local_part, command.path.domain, command.parameters.auth_mailbox, command.mechanism}) {
    say_field(field, line);
  }
  std::printf(" %d %d %d\n", static_cast<int>(command.path.is_lenient), static_cast<int>(command.parameters.has_size),
              static_cast<int>(command.parameters.body));
}

void say_all() {
  for (std::string digits; std::getline(std::cin, digits);) {
    const std::string line = from_hex(digits);
    const auto command = grammar::parse_command(line);
    if (!command) {
      std::printf("error %zu\n", command.error().offset);
    } else if (command->verb == grammar::Verb::unknown) {
      std::printf("unknown\n");
    } else {
      say(*command, line);
    }
  }
}

}  // namespace
}  // namespace postern::proptests

int main() { postern::proptests::say_all(); }
