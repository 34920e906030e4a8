#include "testing/reference.hpp"

#include <algorithm>

#include "testing/reference_text.hpp"

namespace postern::testing {

namespace text = reference_text;

namespace {

constexpr int most_errors = 20, most_auth_commands = 10;  // D6, D7

}  // namespace

Reference::Reference(World world, Slip slip) : world_(std::move(world)), slip_(slip) {}

Reference::Reference(World world, const Memory& memory)
    : world_(std::move(world)),
      slip_(Slip::none),
      phase_(memory.phase),
      tls_(memory.tls),
      logged_in_(memory.logged_in),
      hello_(memory.hello),
      errors_(memory.errors),
      auth_commands_(memory.auth_commands) {
  if (memory.has_sender) sender_ = "a@b.example";
  if (memory.has_recipient) recipients_ = {"c@d.example"};
}

// ---- the client

void Reference::hear(std::string_view octets) {
  unread_ += octets;
  work();
}

void Reference::work() {
  for (bool goes_on = true; goes_on;) {
    if (phase_ == "data") {
      goes_on = take_mail_data();
    } else if (phase_ == "command" || phase_ == "plain" || phase_ == "username" || phase_ == "password") {
      goes_on = take_line();
    } else {
      goes_on = false;
    }
  }
}

bool Reference::take_line() {
  const std::size_t lf = unread_.find('\n');
  if (lf == std::string::npos) return false;
  const std::string line = unread_.substr(0, lf + 1);
  unread_.erase(0, lf + 1);
  const bool is_command = phase_ == "command";
  if (!line.ends_with("\r\n") && !slips(Slip::takes_a_bare_lf)) {
    hear_a_bare_lf();
    return true;
  }
  std::string refusal;
  const std::size_t bound = 12288 + (slips(Slip::takes_one_octet_too_much) ? 1U : 0U);  // RFC 4954 4
  if (line.size() > bound)
    refusal = "500 line too long (#5.5.2)";
  else if (is_command && line.size() > 2048 && text::upper(text::verb_of(line)) != "AUTH")
    refusal = "500 line too long (#5.5.2)";  // D6
  const std::string whole = line.substr(0, line.size() - (line.ends_with("\r\n") ? 2 : 1));
  if (is_command && refusal.empty()) {
    obey(whole);
  } else if (is_command) {
    if (errors_ >= most_errors) {
      say("421 too many errors (#4.7.0)");
      close();
    } else {
      say(refusal);
    }
  } else if (refusal.empty()) {
    answer(whole);
  } else {
    phase_ = "command";
    say(refusal);
  }
  return true;
}

// RFC 5321 2.3.8: "Conforming implementations MUST NOT recognize or generate any other character or character sequence as
// a line terminator." So it is unknown where the client's next command begins; D3: the session ends.
void Reference::hear_a_bare_lf() {
  const bool is_tired = phase_ == "command" && errors_ >= most_errors;
  say(is_tired ? "421 too many errors (#4.7.0)" : "500 lines end with CRLF (#5.5.2)");
  if (!slips(Slip::goes_on_after_a_bare_lf)) return close();
  phase_ = "command";
}

void Reference::obey(const std::string& sent) {
  const std::string line = text::without_forgiven_blanks(sent);  // D14
  const std::string verb = text::upper(text::verb_of(line));
  const std::string rest = text::without_spaces_around(line.substr(text::verb_of(line).size()));
  if (errors_ >= most_errors && (verb != "QUIT" || !rest.empty() || text::has_control(line))) {
    if (verb == "AUTH" && !text::has_control(line)) ++auth_commands_;
    say("421 too many errors (#4.7.0)");  // D6
    return close();
  }
  if (text::is_known(verb) && text::has_control(line))
    return say("500 control octets are not allowed in a command (#5.5.2)");  // D5
  const bool is_path_command = verb == "MAIL" || verb == "RCPT";  // RFC 5321 4.1.1.2: one space before FROM: or TO:
  obey_verb(verb, is_path_command && line.size() > 4 ? line.substr(5) : rest, line);
}

void Reference::obey_verb(const std::string& verb, const std::string& rest, const std::string& line) {
  if (text::wants_no_argument(verb) && !rest.empty())
    return say("501 Syntax error (no parameters allowed) (#5.5.4)");  // RFC 5321 4.1.1; D30
  if (text::wants_an_argument(verb) && rest.empty()) return say("501 Syntax error (parameter missing) (#5.5.4)");
  if (verb == "EHLO" || verb == "HELO") return hello(verb, rest);
  if (verb == "MAIL") return mail(rest);
  if (verb == "RCPT") return rcpt(rest);
  if (verb == "DATA") return data();
  if (verb == "STARTTLS") return starttls(rest);
  if (verb == "AUTH") return auth(rest);
  if (verb == "NOOP") return say("250 ok");
  if (verb == "VRFY") return say("252 send some mail, i'll try my best");
  if (verb == "HELP")
    return say("214 postern " POSTERN_VERSION ": the policy and every rule id of the log are in its spec folder");
  if (verb == "RSET") {
    if (!slips(Slip::forgets_rset)) forget_transaction();
    return say("250 flushed");
  }
  if (verb == "QUIT") {
    say("221 " + world_.host);
    return close();
  }
  if (text::is_http(line)) {  // D21
    say("421 this is SMTP (#4.7.0)");
    return close();
  }
  say("502 unimplemented (#5.5.1)");
}

void Reference::hello(const std::string& verb, const std::string&) {
  hello_ = verb;
  forget_transaction();  // RFC 5321 4.1.4
  if (verb == "HELO") return say("250 " + world_.host);
  std::vector<std::string> lines{world_.host};
  const bool lists_auth =
      world_.AUTH && world_.backend && (encrypted() || world_.ALLOW_INSECURE_AUTH || slips(Slip::lists_auth_in_clear));
  if (lists_auth) lines.insert(lines.end(), {"AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"});
  if (starttls_works() && !encrypted()) lines.emplace_back("STARTTLS");
  lines.push_back("SIZE " + std::to_string(world_.databytes));
  lines.insert(lines.end(), {"PIPELINING", "HELP", "8BITMIME"});
  for (const std::string& line : lines) say((&line == &lines.back() ? "250 " : "250-") + line);
}

// RFC 3207 4
void Reference::starttls(const std::string& rest) {
  if (!rest.empty()) return say("501 Syntax error (no parameters allowed) (#5.5.4)");
  if (tls_ && !slips(Slip::starts_tls_twice)) return say("454 TLS not available: TLS already active (4.3.0)");
  if (world_.SSL) return say("454 TLS not available: already SSL secured (4.3.0)");
  if (!starttls_works()) return say("454 TLS not available (4.3.0)");
  say("220 ready for tls");
  unread_.clear();  // D1
  phase_ = "handshake";
}

// RFC 4954 4
void Reference::auth(const std::string& rest) {
  const bool is_spent = auth_commands_ >= most_auth_commands && !slips(Slip::counts_no_auth_commands);
  ++auth_commands_;
  const auto [mechanism, response] = text::cut_at_space(rest);
  const std::string name = text::upper(mechanism);
  if (is_spent) {
    say("421 too many AUTH attempts (#4.7.0)");  // D7
    return close();
  }
  if (!world_.AUTH || !world_.backend) return say("503 auth not available (#5.3.3)");
  if (logged_in_) return say("503 you're already authenticated (#5.5.0)");
  if (sender_ && !slips(Slip::lets_auth_into_a_transaction)) return say("503 no auth during mail transaction (#5.5.0)");
  if (!auth_works() || (name != "PLAIN" && name != "LOGIN")) return say("504 auth type not available (#5.5.1)");
  if (name == "PLAIN" && response.empty()) {
    say("334 ");
    phase_ = "plain";
  } else if (response.empty()) {
    say("334 VXNlcm5hbWU6");
    phase_ = "username";
  } else if (name == "PLAIN") {
    auth_plain(response);
  } else {
    auth_user(response);
  }
}

void Reference::auth_plain(const std::string& base64) {
  phase_ = text::is_plain_message(base64) ? "credentials" : "command";
  if (phase_ == "command") say("501 malformed auth input (#5.5.4)");  // D14
}

void Reference::auth_user(const std::string& base64) {
  phase_ = text::is_name_or_password(base64) ? "password" : "command";
  say(phase_ == "password" ? "334 UGFzc3dvcmQ6" : "501 malformed auth input (#5.5.4)");
}

void Reference::answer(const std::string& line) {
  if (line == "*") {
    phase_ = "command";
    say("501 auth exchange cancelled (#5.0.0)");
  } else if (phase_ == "plain") {
    auth_plain(line);
  } else if (phase_ == "username") {
    auth_user(line);
  } else {
    phase_ = text::is_name_or_password(line) ? "credentials" : "command";
    if (phase_ == "command") say("501 malformed auth input (#5.5.4)");
  }
}

// RFC 5321 4.1.1.2, 4.1.4; RFC 1870 6.1; seed: FORCE_TLS, REQUIRE_AUTH
void Reference::mail(const std::string& rest) {
  if (sender_) return say("503 only one MAIL command allowed (#5.5.1)");
  const bool must_start_tls = world_.FORCE_TLS && !encrypted();
  if (must_start_tls && !slips(Slip::takes_mail_before_starttls)) return say("503 STARTTLS first (#5.5.1)");
  if (world_.REQUIRE_AUTH && !logged_in_ && !slips(Slip::takes_mail_before_auth)) return say("503 AUTH first (#5.5.1)");
  const auto mail = text::read_mail(rest, world_.strict_addresses);
  if (!mail) return say("555 syntax error (#5.5.4)");
  if (world_.databytes != 0 && text::is_greater(mail->size, world_.databytes))
    return say("552 sorry, that message size exceeds my databytes limit (#5.3.4)");
  // RFC 4954 3, 5: the parameter is known where AUTH is; a server that does not know it says 555 (RFC 5321 4.1.1.11)
  if (mail->has_auth && !auth_works()) return say("555 syntax error (#5.5.4)");
  sender_ = mail->mailbox;
  say("250 ok");
}

void Reference::rcpt(const std::string& rest) {
  if (!sender_) return say("503 MAIL first (#5.5.1)");
  const auto mailbox = text::read_rcpt(rest, world_.strict_addresses);
  if (!mailbox) return say("555 syntax error (#5.5.4)");
  if (recipients_.size() >= world_.max_recipients) return say("452 too many recipients (#4.5.3)");
  asked_about_ = *mailbox;
  phase_ = "recipient";
}

void Reference::data() {
  if (!sender_) return say("503 MAIL first (#5.5.1)");
  if (recipients_.empty() && !slips(Slip::takes_data_without_recipient)) return say("503 RCPT first (#5.5.1)");
  // RFC 5321 4.3.2: DATA is answered 354, or 451: "requested action aborted: local error in processing". It is still in the
  // transaction then, because the client shall try again (4.2.1).
  if (!world_.has_room && !slips(Slip::takes_data_without_room))
    return say("451 no room for another message, try again later (#4.3.0)");
  if (world_.asks_at_data && !slips(Slip::takes_data_unjudged)) {
    phase_ = "message";
    return;
  }
  say("354 go ahead");
  phase_ = "data";
}

// D4: only CRLF.CRLF ends mail data; the CRLF of DATA itself counts as the first one (RFC 5321 4.1.1.4).
bool Reference::take_mail_data() {
  const std::size_t end = unread_.starts_with(".\r\n") ? 0 : unread_.find("\r\n.\r\n");
  if (end == std::string::npos) return false;
  const std::size_t text_octets = unread_.starts_with(".\r\n") ? 0 : end + 2;
  const std::string octets = unread_.substr(0, text_octets);
  unread_.erase(0, text_octets + 3);
  end_of_data(octets);
  return true;
}

void Reference::end_of_data(const std::string& octets) {
  phase_ = "command";
  const text::Message message = text::read_message(octets);
  std::string refusal;
  if (message.has_bare_cr_or_lf)
    refusal = "550 bare CR or LF in mail data (#5.6.0)";
  else if (message.has_nul)  // RFC 5321 2.3.8 with RFC 6152 2: 8BITMIME allows every octet but NUL
    refusal = "550 NUL in mail data (#5.6.0)";
  else if (message.hops >= 100)
    refusal = "554 too many hops, this message is looping (#5.4.6)";
  else if (world_.databytes != 0 && message.stored.size() > world_.databytes)
    refusal = "552 sorry, that message size exceeds my databytes limit (#5.3.4)";
  if (!refusal.empty()) {
    forget_transaction();
    return say(refusal);
  }
  words_.emplace_back('F', sender_.value_or(""));
  for (const std::string& recipient : recipients_) words_.emplace_back('T', recipient);
  for (const std::string& line : text::lines_of(message.stored)) words_.emplace_back('M', line);
  phase_ = "hand_over";
}

// ---- what it knows and says

bool Reference::auth_works() const {
  return world_.AUTH && world_.backend &&
         (encrypted() || world_.ALLOW_INSECURE_AUTH || slips(Slip::challenges_in_clear));
}

bool Reference::starttls_works() const {
  return !world_.SSL && world_.certificate && (!world_.DENY_TLS || slips(Slip::starts_tls_when_denied));
}

void Reference::say(const std::string& line) {
  words_.emplace_back('S', line + "\r\n");
  // RFC 5321 4.2.1: after 4yz the client is to try again, after 5yz it is not; only what it must not send is its error.
  // 4.5.3.1.10: a client that gets 452 sends DATA for the recipients it was granted, and 4.5.3.1.8 forbids a server to
  // drop "addresses previously accepted": had the 452s counted, its DATA could be answered by 421.
  const bool is_error = line[0] == '5' || (line[0] == '4' && slips(Slip::counts_the_servers_trouble));
  if (is_error && !slips(Slip::counts_no_errors)) ++errors_;
}

void Reference::close() {
  words_.emplace_back('X', "");
  phase_ = "end";
}

void Reference::forget_transaction() {
  sender_.reset();
  recipients_.clear();
}

Memory Reference::memory() const {
  return {phase_, tls_, logged_in_, hello_, sender_.has_value(), !recipients_.empty(), errors_, auth_commands_};
}

std::string state_of(const Memory& memory) {
  return memory.phase + (memory.tls ? " tls" : "") + (memory.logged_in ? " in" : "") + " " + memory.hello +
         (memory.has_sender ? " mail" : "") + (memory.has_recipient ? " rcpt" : "");
}

}  // namespace postern::testing
