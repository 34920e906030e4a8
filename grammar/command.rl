// The command machine: rules from rfc5321.rl and rfc4954.rl, actions here. It runs over whichever alphabet the build
// hands in: the classes in what is shipped, the octets themselves in the oracle of the tests.
// The machine stops at the first octet that does not fit; what kind of error that is, is worked out afterwards.
#include "alphabet.hpp"

#include <algorithm>
#include <cstdint>
#include <expected>
#include <limits>
#include <string_view>

#include "grammar/alphabets.hpp"

namespace postern::grammar {
namespace {

%%{
machine command;
alphtype unsigned char;
getkey (alphabet_key[static_cast<unsigned char>(*p)]);

action local_part_begins { mark = p; }
action local_part_ends { command.path.local_part = {mark, p}; }
action domain_begins { mark = p; }
action domain_ends { command.path.domain = {mark, p}; }
action address_literal_opens { fcall address_literal_machine; }
action address_literal_closes { fret; }
action address_forgiven { command.path.is_lenient = true; }
action path_ends { path_end = p; }
action mechanism_begins { mark = p; }
action mechanism_ends { command.mechanism = {mark, p}; }
action initial_response_begins { command.initial_response = {p, pe}; }
action auth_mailbox_begins { mark = p; }
action auth_mailbox_ends { command.parameters.auth_mailbox = {mark, p}; }
action size_digit { command.parameters.size_octets = appended(command.parameters.size_octets, *p); }
action body_7bit { command.parameters.body = Body::seven_bit; }
action body_8bitmime { command.parameters.body = Body::eight_bit_mime; }

# RFC 5321 4.1.1.11: a keyword stands once; its second coming does not fit from the first letter on
action size_keyword { if (said & said_size) { fhold; fgoto refused; } said |= said_size; }
action body_keyword { if (said & said_body) { fhold; fgoto refused; } said |= said_body; }
action auth_keyword { if (said & said_auth) { fhold; fgoto refused; } said |= said_auth; }
refused := empty;

include alphabet "alphabet.rl";
include rfc5321 "rfc5321.rl";
include rfc4954 "rfc4954.rl";

address_literal_machine := address_literal_rest @address_literal_closes;
Mail_parameters = (SP (Size | Body | Auth_parameter))*;  # RFC 5321 4.1.2
mail_argument = SP F R O M colon lenient_colon_spaces Reverse_path %path_ends Mail_parameters lenient_trailing_spaces;
rcpt_argument = SP T O colon lenient_colon_spaces Forward_path %path_ends lenient_trailing_spaces;

action helo { command.verb = Verb::helo; verb_end = p; }
action ehlo { command.verb = Verb::ehlo; verb_end = p; }
action mail { command.verb = Verb::mail; verb_end = p; }
action rcpt { command.verb = Verb::rcpt; verb_end = p; }
action data { command.verb = Verb::data; verb_end = p; }
action rset { command.verb = Verb::rset; verb_end = p; }
action noop { command.verb = Verb::noop; verb_end = p; }
action vrfy { command.verb = Verb::vrfy; verb_end = p; }
action expn { command.verb = Verb::expn; verb_end = p; }
action help { command.verb = Verb::help; verb_end = p; }
action quit { command.verb = Verb::quit; verb_end = p; }
action starttls { command.verb = Verb::starttls; verb_end = p; }
action auth { command.verb = Verb::auth; verb_end = p; }

# RFC 5321 4.1.1; RFC 3207 4; RFC 4954 4
main := (H E L O) %helo lenient_client_name
      | (E H L O) %ehlo lenient_client_name
      | (M A I L) %mail %/mail mail_argument
      | (R C P T) %rcpt %/rcpt rcpt_argument
      | (D A T A) %data unwanted_argument
      | (R S E T) %rset unwanted_argument
      | (N O O P) %noop lenient_argument
      | (V R F Y) %vrfy lenient_argument
      | (E X P N) %expn lenient_argument
      | (H E L P) %help lenient_argument
      | (Q U I T) %quit unwanted_argument
      | (S T A R T T L S) %starttls unwanted_argument
      | (A U T H) %auth auth_argument;
}%%

%% write data noerror noentry;

enum Said : unsigned { said_size = 1, said_body = 2, said_auth = 4 };

// RFC 1870 3: at most 20 digits. What of them is too great for 64 bits is too great for any mailbox, so it stays at the
// greatest value.
std::uint64_t appended(std::uint64_t number, char digit) {
  constexpr auto greatest = std::numeric_limits<std::uint64_t>::max();
  const auto units = static_cast<std::uint64_t>(digit - '0');
  return number > (greatest - units) / 10 ? greatest : number * 10 + units;
}

bool is_control(char octet) { return static_cast<unsigned char>(octet) < 0x20 || octet == 0x7F; }

// Up to `misfit` all octets fit, so no control octet stands before it, except in AUTH, after a forgiven HT.
SyntaxError error_at(Verb verb, const char* misfit, std::string_view line, const char* path_end) {
  const char* const end = line.data() + line.size();
  const char* const control = std::find_if(verb == Verb::auth ? line.data() : misfit, end, is_control);
  const auto offset_of = [&](const char* octet) { return static_cast<std::size_t>(octet - line.data()); };
  if (control != end) return {verb, SyntaxErrorKind::control_octet, offset_of(control)};
  const auto kind = path_end == nullptr ? SyntaxErrorKind::path : SyntaxErrorKind::parameter;
  return {verb, kind, offset_of(misfit)};
}

std::string_view trimmed(const char* begin, const char* end) {
  while (begin != end && *begin == ' ') ++begin;
  while (end != begin && (end[-1] == ' ' || end[-1] == '\t')) --end;
  return {begin, end};
}

}  // namespace

std::expected<Command, SyntaxError> parse_command_over(Alphabet, std::string_view line) {
  std::expected<Command, SyntaxError> result;
  Command& command = *result;
  const char* p = line.data();
  const char* const pe = p + line.size();
  const char* const eof = pe;
  const char* mark = p;
  const char* verb_end = p;
  const char* path_end = nullptr;
  unsigned said = 0;
  int cs = 0;
  int top = 0;
  int stack[1];
  %% write init;
  %% write exec;
  if (command.verb == Verb::unknown) return result;
  if (cs < command_first_final) {
    result = std::unexpected(error_at(command.verb, p, line, path_end));
    return result;
  }
  command.argument = trimmed(verb_end, pe);
  command.parameters.has_size = (said & said_size) != 0;
  const char* const argument_end = command.argument.data() + command.argument.size();
  if (!command.initial_response.empty()) command.initial_response = {command.initial_response.data(), argument_end};
  return result;
}

}  // namespace postern::grammar
