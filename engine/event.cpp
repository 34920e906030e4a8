#include "engine/event.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/sasl.hpp"
#include "spec/limits.hpp"

namespace postern::engine {
namespace {

using grammar::Command;
using grammar::SyntaxError;
using grammar::SyntaxErrorKind;
using grammar::Verb;
using spec::Event;

bool is_bad_address(const Command& command, const LineFacts& facts) {
  return facts.mailbox_octets > spec::max_address_octets || (facts.strict_addresses && command.path.is_lenient);
}

Event mail_event(const Command& command, const LineFacts& facts) {
  if (is_bad_address(command, facts)) return Event::mail_malformed;
  const bool is_too_big = facts.databytes != 0 && command.parameters.has_size &&
                          command.parameters.size_octets > facts.databytes;  // RFC 1870 6.1
  if (is_too_big) return Event::mail_too_big;
  return command.parameters.auth_mailbox.empty() ? Event::mail_valid : Event::mail_with_auth;
}

Event rcpt_event(const Command& command, const LineFacts& facts) {
  if (is_bad_address(command, facts)) return Event::rcpt_malformed;
  return facts.has_room_for_recipient ? Event::rcpt_valid : Event::rcpt_too_many;
}

Event auth_event(const Command& command, const LineFacts& facts) {
  const Mechanism mechanism = mechanism_of(command.mechanism);
  if (mechanism == Mechanism::unknown) return Event::auth_unknown_mechanism;
  const bool is_plain = mechanism == Mechanism::plain;
  switch (facts.initial_response) {
    case ResponseKind::absent: return is_plain ? Event::auth_plain : Event::auth_login;
    case ResponseKind::valid: return is_plain ? Event::auth_plain_response : Event::auth_login_username;
    case ResponseKind::malformed:
    case ResponseKind::cancelled: return Event::auth_malformed;
  }
  std::unreachable();
}

// deviation D21: the methods that a browser can be made to send, and CONNECT (RFC 9110 9.3, RFC 5789).
bool is_http(std::string_view line) {
  constexpr std::array methods{"GET ", "POST ", "PUT ", "HEAD ", "CONNECT ", "OPTIONS ", "DELETE ", "PATCH ", "TRACE "};
  return std::ranges::any_of(methods, [line](std::string_view method) { return line.starts_with(method); });
}

Event error_event(const SyntaxError& error) {
  if (error.kind == SyntaxErrorKind::control_octet) return Event::line_control_octet;
  return error.verb == Verb::mail ? Event::mail_malformed : Event::rcpt_malformed;
}

// RFC 5321 4.1.1.1, 4.1.1.6; deviation D30
Event with_argument(const Command& command, Event event) {
  return command.argument.empty() ? Event::argument_missing : event;
}

// RFC 5321 4.1.1.4, 4.1.1.5, 4.1.1.10; deviation D30
Event alone(const Command& command, Event event) {
  return command.argument.empty() ? event : Event::argument_not_allowed;
}

Event data_event(const LineFacts& facts) {
  if (!facts.has_room_for_message) return Event::data_no_room;
  return facts.asks_at_data ? Event::data_to_be_judged : Event::data;
}

}  // namespace

Event event_of(const std::expected<Command, SyntaxError>& parsed, const LineFacts& facts) {
  if (!parsed) return error_event(parsed.error());
  switch (parsed->verb) {
    case Verb::unknown: return is_http(facts.line) ? Event::http_request : Event::unknown;
    case Verb::helo: return with_argument(*parsed, Event::helo);
    case Verb::ehlo: return with_argument(*parsed, Event::ehlo);
    case Verb::mail: return mail_event(*parsed, facts);
    case Verb::rcpt: return rcpt_event(*parsed, facts);
    case Verb::data: return alone(*parsed, data_event(facts));
    case Verb::rset: return alone(*parsed, Event::rset);
    case Verb::noop: return Event::noop;
    case Verb::vrfy: return with_argument(*parsed, Event::vrfy);
    case Verb::expn: return Event::expn;
    case Verb::help: return Event::help;
    case Verb::quit: return alone(*parsed, Event::quit);
    case Verb::starttls: return parsed->argument.empty() ? Event::starttls : Event::starttls_parameter;
    case Verb::auth: return auth_event(*parsed, facts);
  }
  std::unreachable();
}

bool is_auth(Event event) {
  switch (event) {
    case Event::auth_plain:
    case Event::auth_plain_response:
    case Event::auth_login:
    case Event::auth_login_username:
    case Event::auth_malformed:
    case Event::auth_unknown_mechanism: return true;
    default: return false;
  }
}

bool is_mail(Event event) {
  return event == Event::mail_valid || event == Event::mail_with_auth || event == Event::mail_too_big ||
         event == Event::mail_malformed;
}

bool is_rcpt(Event event) {
  return event == Event::rcpt_valid || event == Event::rcpt_too_many || event == Event::rcpt_malformed;
}

bool names_user(Event event) { return event == Event::auth_plain_response || event == Event::auth_login_username; }

}  // namespace postern::engine
