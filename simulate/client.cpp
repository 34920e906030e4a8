#include "simulate/client.hpp"

#include <algorithm>

#include "audit/text.hpp"

namespace postern::simulate {
namespace {

// Whether such a command can be answered so. What is not in the table answers none.
bool can_answer(Command command, int code, std::string_view text) {
  const bool is_refusal = code >= 400;
  switch (command) {
    case Command::greeting: return code == 220 || is_refusal;
    case Command::hello: return code == 250 || is_refusal;
    case Command::mail:
    case Command::rcpt:
    case Command::mail_data: return code == 250 || is_refusal;
    case Command::data: return code == 354 || is_refusal;
    case Command::rset: return (code == 250 && text == "flushed") || is_refusal;
    case Command::noop: return (code == 250 && text == "ok") || is_refusal;
    case Command::starttls: return code == 220 || is_refusal;
    case Command::auth:
    case Command::response: return code == 334 || code == 235 || is_refusal;
    case Command::help: return code == 214 || is_refusal;
    case Command::other: return code == 214 || code == 252 || is_refusal;
    case Command::quit: return code == 221 || is_refusal;
  }
  return false;
}

}  // namespace

void Client::begin(std::uint64_t seed, std::uint32_t life, Ledger& ledger) {
  random_ = Random(seed);
  ledger_ = &ledger;
  for (std::string* text : {&out_, &line_, &login_.secret, &complaint_}) text->clear();
  login_.user = "user" + std::to_string(life);
  login_.password = "pass of " + login_.user;
  sent_ = 0;
  owed_.asked = owed_.answered = plan_.size = plan_.next = plan_.responses = 0;
  const std::uint32_t kind = random_.below(10);
  manner_ = kind < 4 ? Manner::patient : kind < 9 ? Manner::pipelining : Manner::blind;
  const std::uint32_t end = random_.below(8);
  farewell_ = end < 5 ? Farewell::quit : end < 7 ? Farewell::half_close : Farewell::silence;
  plan_.turns_left = random_.between(1, 6);
  tls_ = Tls::none;
  plan_.has_ended = false;
  owed_.add(Command::greeting);
  if (manner_ == Manner::blind) go_on();
}

void Client::hear(std::string_view octets) {
  if (tls_ == Tls::agreed) complaint_ = "a reply in clear after STARTTLS was accepted";
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size() - 1) + 1;
    line_ += octets.substr(0, end);
    octets.remove_prefix(end);
    if (!line_.ends_with("\r\n")) continue;
    const std::string_view line = std::string_view(line_).substr(0, line_.size() - 2);
    if (line.size() >= 4 && line[3] == ' ')
      hear_reply((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'), line.substr(4));
    line_.clear();
  }
}

void Client::hear_reply(int code, std::string_view text) {
  if (manner_ == Manner::blind) return;
  // What ends a session can come at any time, and nothing after it.
  if (code == 421 && owed_.asked == owed_.answered) return;
  if (owed_.asked == owed_.answered) {
    complaint_ = "a reply that no command asked for: " + std::to_string(code);
    return;
  }
  const Command command = owed_.commands[owed_.answered++ % owed_.commands.size()];
  if (code != 421 && !can_answer(command, code, text))
    complaint_ = "a reply that answers another command: " + std::to_string(code);
  react(command, code);
}

void Client::react(Command command, int code) {
  if (command == Command::greeting && code != 220) return end();
  if (command == Command::data && code == 354) return send_body();
  if (command == Command::starttls && code == 220) {
    tls_ = Tls::agreed;
    owed_.asked = owed_.answered = plan_.size = plan_.next = 0;
    out_.resize(sent_);  // it says nothing more in clear
    return;
  }
  if (code == 334) return send_response();
  if (owed_.asked == owed_.answered) go_on();
}

void Client::begin_tls() {
  tls_ = Tls::begun;
  line_.clear();
  go_on();
}

// All that was asked is answered: the next thing.
void Client::go_on() {
  if (plan_.has_ended) return;
  if (plan_.next < plan_.size) return send_planned();
  if (plan_.turns_left == 0) return end();
  --plan_.turns_left;
  plan_.size = plan_.next = 0;
  if (out_.empty() || random_.one_in(3)) plan_.commands[plan_.size++] = Command::hello;
  const std::uint32_t kind = random_.one_in(24) ? 16 : random_.below(16);
  if (kind == 16)  // more replies than an output holds
    while (plan_.size < plan_.commands.size()) plan_.commands[plan_.size++] = Command::help;
  else if (kind < 9)
    plan_transaction();
  else if (kind < 11)
    plan_.commands[plan_.size++] = Command::auth;
  else if (kind < 12 && tls_ == Tls::none)
    plan_.commands[plan_.size++] = Command::starttls;
  else
    plan_.commands[plan_.size++] = kind < 14 ? Command::noop : kind < 15 ? Command::rset : Command::other;
  if (manner_ == Manner::blind) plan_.turns_left = std::min(plan_.turns_left, 2U);
  send_planned();
  if (manner_ == Manner::blind) go_on();
}

void Client::plan_transaction() {
  plan_.commands[plan_.size++] = Command::mail;
  for (std::uint32_t left = random_.between(1, 4); left > 0; --left) plan_.commands[plan_.size++] = Command::rcpt;
  if (random_.one_in(12)) plan_.commands[plan_.size++] = Command::rset;
  if (random_.one_in(12)) plan_.commands[plan_.size++] = Command::noop;
  plan_.commands[plan_.size++] = Command::data;
}

void Client::send_planned() {
  do {
    send_one(plan_.commands[plan_.next++]);
  } while (plan_.next < plan_.size && manner_ != Manner::patient);
}

void Client::send_one(Command command) {
  if (command == Command::other) return send_nonsense();
  owed_.add(command);
  switch (command) {
    case Command::hello: return send(random_.one_in(8) ? "HELO c.example\r\n" : "EHLO c.example\r\n");
    case Command::mail: return send_mail();
    case Command::rcpt: return send_recipient();
    case Command::data:
      send("DATA\r\n");
      if (manner_ == Manner::blind) send_body();
      return;
    case Command::rset: return send("RSET\r\n");
    case Command::noop: return send("noop\r\n");
    case Command::help: return send("HELP\r\n");
    case Command::starttls:
      send("STARTTLS\r\n");
      if (random_.one_in(4)) send_too_early();
      return;
    case Command::auth: return send_auth();
    default: return;
  }
}

// RFC 3207 4.2: answered only where STARTTLS is refused.
void Client::send_too_early() {
  owed_.add(Command::noop);
  owed_.add(Command::mail);
  send("NOOP\r\nMAIL FROM:<injected@c.example>\r\n");
}

void Client::send_mail() {
  send("MAIL FROM:<");
  if (!random_.one_in(4)) send("s" + std::to_string(random_.below(4)) + "@c.example");
  send(random_.one_in(8) ? "> SIZE=1000\r\n" : ">\r\n");
}

void Client::send_recipient() {
  const bool is_ours = !random_.one_in(6);
  send("RCPT TO:<r" + std::to_string(random_.below(4)) + (is_ours ? "@ours" : "@foreign") +
       std::to_string(random_.below(2)) + ".example>\r\n");
}

// Lines that begin with dots, too; sometimes what no message may hold.
void Client::send_body() {
  const std::uint32_t number = ledger_->add();
  Mail& mail = ledger_->mail(number);
  for (std::uint32_t left = random_.below(6); left > 0; --left) {
    const std::uint32_t octets = random_.one_in(40) ? 3000 : random_.below(70);
    if (random_.one_in(5)) mail.body += '.';
    mail.body.append(octets, static_cast<char>('a' + random_.below(26)));
    mail.body += '\n';
  }
  bool starts_line = true;
  for (const char octet : mail.body) {
    if (starts_line && octet == '.') out_ += '.';
    if (octet == '\n') out_ += '\r';
    out_ += octet;
    starts_line = octet == '\n';
  }
  mail.is_flawed = random_.one_in(16);
  if (mail.is_flawed) send(random_.one_in(2) ? std::string_view("a\nb\r\n") : std::string_view("a\0b\r\n", 5));
  send(".\r\n");
  owed_.add(Command::mail_data);
}

void Client::send_auth() {
  const std::string plain = audit::base64(std::string(1, '\0') + login_.user + '\0' + login_.password);
  plan_.responses = random_.one_in(16) ? 3 : 0;  // 3: nonsense
  switch (random_.below(4)) {
    case 0: login_.secret = plain; return send("AUTH PLAIN " + plain + "\r\n");
    case 1: return send("AUTH PLAIN\r\n");
    case 2: plan_.responses = 1; return send("AUTH LOGIN\r\n");
    default: plan_.responses = 2; return send("AUTH LOGIN " + audit::base64(login_.user) + "\r\n");
  }
}

void Client::send_response() {
  owed_.add(Command::response);
  if (plan_.responses == 3 || random_.one_in(24)) return send(random_.one_in(2) ? "*\r\n" : "!\r\n");
  if (plan_.responses == 1) {
    plan_.responses = 2;
    return send(audit::base64(login_.user) + "\r\n");
  }
  login_.secret = audit::base64(plan_.responses == 2 ? login_.password
                                                     : std::string(1, '\0') + login_.user + '\0' + login_.password);
  send(login_.secret + "\r\n");
}

void Client::send_nonsense() {
  owed_.add(Command::other);
  switch (random_.below(6)) {
    case 0: return send("XYZZY\r\n");
    case 1: return send("VRFY postmaster\r\n");
    case 2: return send("HELP\r\n");
    case 3: return send("NOOP " + std::string(2100, 'x') + "\r\n");
    case 4: return send("RSET with\x01 control\r\n");
    default: return send("EXPN\n");
  }
}

void Client::end() {
  plan_.has_ended = true;
  if (farewell_ != Farewell::quit) return;
  owed_.add(Command::quit);
  send("QUIT\r\n");
}

}  // namespace postern::simulate
