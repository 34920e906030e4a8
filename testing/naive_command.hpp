// A command line read by the ABNF of the RFCs, rule by rule, following every alternative at once: slow, obvious, and no
// relative of grammar/command.
// in      a line without its CRLF
// out     NaiveCommand, which owns its strings
// errors  grammar::SyntaxError
// source  RFC 5321 4.1.1, 4.1.2, 4.1.3; RFC 1870 3; RFC 6152 2; RFC 4954 4, 5; RFC 3461 4
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "grammar/command.hpp"

namespace postern::testing {

struct NaiveCommand {
  grammar::Verb verb = grammar::Verb::unknown;
  std::string argument;
  std::string local_part;
  std::string domain;
  bool is_lenient = false;
  bool has_size = false;
  std::uint64_t size_octets = 0;
  grammar::Body body = grammar::Body::unsaid;
  std::string auth_mailbox;
  std::string mechanism;
  std::string initial_response;

  bool operator==(const NaiveCommand&) const = default;
};

// The same command with strings of its own, to compare with.
[[nodiscard]] NaiveCommand owned(const grammar::Command& command);

[[nodiscard]] std::expected<NaiveCommand, grammar::SyntaxError> read_command(std::string_view line);

}  // namespace postern::testing
