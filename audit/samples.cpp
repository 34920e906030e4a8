#include "audit/samples.hpp"

#include "spec/limits.hpp"

namespace postern::audit {
namespace {

using spec::Event;
namespace bit = spec::bit;
using Lines = std::vector<std::string>;

constexpr const char* our_address = "b@example.org";
constexpr const char* plain_response = "AHVzZXIAcGFzc3dvcmQ=";  // NUL user NUL password
constexpr const char* username = "dXNlcg==";
constexpr const char* password = "cGFzc3dvcmQ=";

std::string outcome(Event event, const std::string& text = {}) {
  return "= " + std::string(spec::name_of(event)) + (text.empty() ? "" : " " + text);
}

Lines response(spec::Guards before) {
  if (before.has(bit::waiting_plain_response)) return {std::string("C: ") + plain_response};
  return {std::string("C: ") + (before.has(bit::waiting_username) ? username : password)};
}

Lines mail_data_lines(Event event) {
  switch (event) {
    case Event::data_end_nul: return {"C| a\\0b\\r\\n", "C: ."};
    case Event::data_end_bare_cr_or_lf: return {"C| bare\\nLF\\r\\n", "C: ."};
    case Event::data_end_too_big: return {"C: " + std::string(1200, 'x'), "C: ."};
    case Event::data_end_too_many_hops:
      return {"C*" + std::to_string(spec::max_hops) + ": Received: by a.example", "C:", "C: ."};
    default: return {"C: Subject: hello", "C:", "C: hello", "C: ."};
  }
}

Lines command_lines(Event event) {
  switch (event) {
    case Event::line_bare_lf: return {"C| NOOP\\n"};
    case Event::line_too_long: return {"C: NOOP " + std::string(spec::max_command_line_octets, 'x')};
    case Event::line_control_octet: return {"C| NOOP \\x01\\r\\n"};
    case Event::argument_missing: return {"C: EHLO"};
    case Event::argument_not_allowed: return {"C: RSET now"};
    case Event::helo: return {"C: HELO client.example.net"};
    case Event::ehlo: return {"C: EHLO client.example.net"};
    case Event::mail_valid: return {"C: MAIL FROM:<a@sender.example>"};
    case Event::mail_with_auth: return {"C: MAIL FROM:<a@sender.example> AUTH=<>"};
    case Event::mail_malformed: return {"C: MAIL FROM:<a@@sender.example>"};
    case Event::mail_too_big: return {"C: MAIL FROM:<a@sender.example> SIZE=2000"};
    case Event::rcpt_valid:
    case Event::rcpt_too_many: return {std::string("C: RCPT TO:<") + our_address + ">"};
    case Event::rcpt_malformed: return {"C: RCPT TO:<b@@example.org>"};
    case Event::data_no_room:
    case Event::data_to_be_judged: return {"C: DATA"};
    case Event::starttls_parameter: return {"C: STARTTLS now"};
    case Event::vrfy: return {"C: VRFY b"};
    case Event::expn: return {"C: EXPN list"};
    case Event::http_request: return {"C: GET / HTTP/1.1"};
    case Event::unknown: return {"C: FOO"};
    case Event::auth_plain: return {"C: AUTH PLAIN"};
    case Event::auth_plain_response: return {std::string("C: AUTH PLAIN ") + plain_response};
    case Event::auth_login: return {"C: AUTH LOGIN"};
    case Event::auth_login_username: return {std::string("C: AUTH LOGIN ") + username};
    case Event::auth_malformed: return {"C: AUTH PLAIN %"};
    case Event::auth_unknown_mechanism: return {"C: AUTH CRAM-MD5"};
    case Event::response_malformed: return {"C: %"};
    case Event::response_cancelled: return {"C: *"};
    case Event::response_bare_lf: return {"C| *\\n"};
    case Event::response_too_long: return {"C: " + std::string(spec::max_auth_line_octets, 'x')};
    default: break;
  }
  std::string verb(spec::name_of(event));
  for (char& c : verb) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return {"C: " + verb};
}

bool is_of_the_world(std::string_view name) {
  return name.starts_with("connect.") || name.starts_with("message.") || name.starts_with("credentials.") ||
         name.starts_with("handshake.") || name == "timeout" || name == "eof" || name == "too_slow" ||
         name == "shutting_down" || name == "exhausted";
}

}  // namespace

std::string_view sample_words(Event event) {
  const std::string_view name = spec::name_of(event);
  if (event == Event::hand_over_filter_refused) return "5.7.1 Spam message rejected";
  if (event == Event::hand_over_filter_deferred) return "4.7.1 Try again later";
  if (name.starts_with("hand_over.") || name.starts_with("connect.listed_")) return "as the queue says";
  if (event == Event::connect_dns_listed || event == Event::recipient_client_listed)
    return "192.0.2.1 is on zen.example";
  if (event == Event::recipient_policy_refused) return "5.7.1 your network sends no mail to us";
  if (event == Event::recipient_policy_deferred) return "4.2.0 Greylisted";
  if (event == Event::message_policy_refused) return "5.7.1 too many recipients for one message";
  if (event == Event::message_policy_deferred) return "4.7.1 Rate limit reached";
  return event == Event::recipient_program_refused ? "nobody of that name" : "";
}

Lines sample_lines(Event event, spec::Guards before) {
  const std::string_view name = spec::name_of(event);
  if (const std::string_view words = sample_words(event); !words.empty()) return {outcome(event, std::string(words))};
  if (is_of_the_world(name)) return {outcome(event)};
  if (name.starts_with("recipient.")) return {outcome(event, our_address)};
  if (event == Event::response_valid) return response(before);
  if (name.starts_with("data_end.")) return mail_data_lines(event);
  return command_lines(event);
}

std::string sample_head(Event event) {
  switch (event) {
    case Event::mail_too_big:
    case Event::data_end_too_big: return "databytes=1000";
    case Event::rcpt_too_many: return "max_recipients=0";
    case Event::data_no_room: return "no_room";
    case Event::data_to_be_judged: return "asks_at_data";
    default: return {};
  }
}

bool can_be_shown(Event event) { return event != Event::data_without_end; }

}  // namespace postern::audit
