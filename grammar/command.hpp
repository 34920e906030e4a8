// One SMTP command line, parsed in place.
// in      a line without its CRLF
// out     Command; its views point into the line and die with it
// errors  SyntaxError{verb, kind, offset}; allocates nothing
// source  RFC 5321 4.1.1, 4.1.2, 4.1.3; RFC 1870 3; RFC 6152 3; RFC 4954 4, 5; RFC 3207 4
//
// Leniencies, each a named rule of rfc5321.rl (nothing else is forgiven):
//   lenient_colon_spaces     `MAIL FROM: <a@b>`     spaces between the colon and the path
//   lenient_bare_path        `MAIL FROM:a@b`        a mailbox without its angle brackets
//   lenient_source_route     `RCPT TO:<@x,@y:a@b>`  the route is accepted and ignored (RFC 5321 4.1.1.3)
//   lenient_trailing_spaces  `RSET  `               spaces before the CRLF (RFC 5321 4.1.1)
//   lenient_underscore       `RCPT TO:<a@my_host>`  `_` counts as a letter of a domain (some hosts are named so)
//   lenient_dots             `RCPT TO:<.a..b.@c>`   dots at the ends or doubled in a local part without quotes
//                                                   (carriers gave such addresses out); an Atom must be there
//   lenient_auth_spaces      `AUTH  PLAIN   dGlt`   more than one space before the mechanism or the initial response
//   lenient_trailing_blanks  `AUTH PLAIN dGlt \t`   spaces and tabs after an initial response
//   lenient_client_name      `EHLO two words`       any printable argument in the place of a domain
//   lenient_argument         `NOOP a b`, `VRFY a@`  any printable argument in the place of a String
// Whether an argument may be there or be missing is decided by the policy (argument_missing, argument_not_allowed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace postern::grammar {

enum class Verb : std::uint8_t {
  unknown,
  helo,
  ehlo,
  mail,
  rcpt,
  data,
  rset,
  noop,
  vrfy,
  expn,
  help,
  quit,
  starttls,
  auth,
};

// A reverse-path or forward-path. Both views are empty for `<>`; `domain` alone is empty for `<postmaster>`.
struct Path {
  std::string_view local_part;  // as sent: a Dot-string, or a Quoted-string with its quotes
  std::string_view domain;      // as sent: a Domain, or an address literal with its brackets
  bool is_lenient = false;      // lenient_underscore or lenient_dots was needed, in the source route too
};

enum class Body : std::uint8_t { unsaid, seven_bit, eight_bit_mime };

struct Parameters {
  std::uint64_t size_octets = 0;  // SIZE= of at most 20 digits, saturated at the greatest value; only when has_size
  bool has_size = false;
  Body body = Body::unsaid;
  std::string_view auth_mailbox;  // AUTH=, xtext as sent; `<>` when nobody vouches; empty when missing
};

struct Command {
  Verb verb = Verb::unknown;
  std::string_view argument;   // all after the verb and its spaces, without trailing spaces; for EHLO the client's name
  Path path;                   // MAIL and RCPT
  Parameters parameters;       // MAIL
  std::string_view mechanism;  // AUTH; empty when it is missing
  std::string_view initial_response;  // AUTH; empty when there is none (RFC 4954 4 writes an empty one as `=`)
};

enum class SyntaxErrorKind : std::uint8_t {
  control_octet,  // NUL or another control octet in a line whose verb is known
  path,           // not `FROM:`/`TO:` and a path
  parameter,      // an ESMTP parameter that is malformed, unknown, or given twice
};

struct SyntaxError {
  Verb verb;
  SyntaxErrorKind kind;
  std::size_t offset;  // of the first octet that does not fit

  bool operator==(const SyntaxError&) const = default;
};

// A line whose verb is not known is a Command with Verb::unknown, whatever else it holds.
[[nodiscard]] std::expected<Command, SyntaxError> parse_command(std::string_view line);

// Writes the mailbox as `local-part@domain`, the local part without quotes and backslashes, and says how many octets it
// wrote; never more than the path's own octets plus one. Returns 0 for `<>`; `out` too small: returns out.size() + 1.
[[nodiscard]] std::size_t write_mailbox(const Path& path, std::span<char> out);

}  // namespace postern::grammar
