#include "testing/reference_walk.hpp"

#include <algorithm>
#include <utility>

#include "audit/dialogue.hpp"
#include "testing/laws.hpp"

namespace postern::testing {

namespace bit = spec::bit;
using spec::Effect;

namespace {

constexpr std::array<std::pair<const char*, bool World::*>, 10> switches{
    {{"SSL", &World::SSL},
     {"FORCE_TLS", &World::FORCE_TLS},
     {"DENY_TLS", &World::DENY_TLS},
     {"AUTH", &World::AUTH},
     {"REQUIRE_AUTH", &World::REQUIRE_AUTH},
     {"ALLOW_INSECURE_AUTH", &World::ALLOW_INSECURE_AUTH},
     {"certificate", &World::certificate},
     {"backend", &World::backend},
     {"relay_client", &World::relay_client},
     {"local_only", &World::local_only}}};
constexpr std::array<std::uint64_t, 10> switch_bits{
    bit::SSL,         bit::FORCE_TLS, bit::DENY_TLS,     bit::AUTH,      bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH,
    bit::certificate, bit::backend,   bit::relay_client, bit::local_only};
constexpr std::size_t settings = 6;  // the first switches; the others are facts

std::vector<Letter> sent(std::initializer_list<std::string> octets) {
  std::vector<Letter> letters;
  for (const std::string& piece : octets) letters.push_back({.octets = piece, .outcome = {}, .text = {}});
  return letters;
}

std::vector<Letter> happening(std::initializer_list<const char*> names) {
  std::vector<Letter> letters;
  for (const char* name : names) letters.push_back({.octets = {}, .outcome = name, .text = {}});
  return letters;
}

std::vector<Letter> together(std::vector<Letter> first, const std::vector<Letter>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// tim, tanstaaftanstaaf (RFC 4954 4.1 has him)
const std::string plain = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";

std::vector<Letter> commands() {
  return sent({"EHLO c.example\r\n",
               "HELO c.example\r\n",
               "MAIL FROM:<a@b.example>\r\n",
               "MAIL FROM:<> SIZE=1000 BODY=8BITMIME\r\n",
               "MAIL FROM:<a@b.example> SIZE=1001\r\n",
               "MAIL FROM:<a@b..example>\r\n",
               "MAIL FROM:<a@b.example> AUTH=<>\r\n",
               "MAIL FROM:<a@b.example> BODY=7BIT AUTH=e+3Dmc2@example.com\r\n",
               "MAIL FROM:<a@b.example> AUTH=+3d\r\n",
               "MAIL FROM:<a@b.example> SIZE=1001 AUTH=<>\r\n",
               "MAIL FROM:<.a..b.@b_c.example>\r\n",
               "MAIL FROM:<.@b.example>\r\n",
               "MAIL FROM:<a@b.example> X=1\r\n",
               "RCPT TO:<c@d.example>\r\n",
               "RCPT TO:<Postmaster>\r\n",
               "RCPT TO:<c>\r\n",
               "RCPT TO:<c@_d.example_>\r\n",
               "RCPT TO:<c.@d.example>\r\n",
               "RCPT TO:<c@d.example.>\r\n",
               "DATA\r\n",
               "RSET\r\n",
               "NOOP\r\n",
               "VRFY x\r\n",
               "VRFY \r\n",
               "EHLO\r\n",
               "HELO  \r\n",
               "EHLO two words\r\n",
               "DATA x\r\n",
               "RSET x\r\n",
               "QUIT x\r\n",
               "DATA \r\n",
               "MAIL FROM:<a@b.example> SIZE=000000000000000000001\r\n",
               "EXPN x\r\n",
               "HELP\r\n",
               "QUIT\r\n",
               "GET / HTTP/1.1\r\n",
               "XYZZY\r\n",
               "STARTTLS\r\n",
               "STARTTLS now\r\n",
               "STARTTLS\r\nEHLO c.example\r\nMAIL FROM:<a@b.example>\r\n",
               "AUTH PLAIN\r\n",
               "AUTH PLAIN " + plain + "\r\n",
               "AUTH PLAIN =\r\n",
               "AUTH LOGIN\r\n",
               "AUTH LOGIN dGlt\r\n",
               "AUTH LOGIN dGlt \t\r\n",
               "AUTH LOGIN dGl\t0\r\n",
               "AUTH LOGIN\t\r\n",
               "AUTH PLAIN = \t\r\n",
               "AUTH LOGIN !\r\n",
               "AUTH CRAM-MD5\r\n",
               "AUTH\r\n",
               "NOOP\n",
               "NOOP \x01\r\n",
               "NOOP " + std::string(2042, 'a') + "\r\n",
               "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"});
}

std::vector<Letter> answers() {
  return sent({plain + "\r\n", "dGlt\r\n", "dGlt\t \r\n", "* \r\n", " \t\r\n", "dG lt\r\n", "*\r\n", "=\r\n", "dGlt\n",
               "dGl\r\n", "\r\n", "AHRpbQB0\r\n", "AAAA\r\n", std::string(12287, 'A') + "\r\n"});
}

std::vector<Letter> messages() {
  return sent({".\r\n", "Subject: x\r\n\r\n..dot\r\n.\r\n", "a\nb\r\n.\r\n", "a\r\n\n.\n.\r\n", "a\r\r\n.\r\n",
               repeated("0123456789\r\n", 91) + ".\r\n",
               repeated("Received: x\r\n", 77) + repeated("X: y\r\n", 3) + ".\r\n",
               repeated("received:\r\n", 100) + ".\r\n"});
}

}  // namespace

spec::Event event_named(std::string_view name) {
  for (std::size_t i = 0; i < spec::event_count; ++i) {
    if (spec::name_of(static_cast<spec::Event>(i)) == name) return static_cast<spec::Event>(i);
  }
  std::unreachable();
}

Memory memory_of(spec::Guards guards) {
  constexpr std::array<std::pair<std::uint64_t, const char*>, 12> phases{{{bit::waiting_connect, "connect"},
                                                                          {bit::waiting_command, "command"},
                                                                          {bit::waiting_recipient, "recipient"},
                                                                          {bit::waiting_message, "message"},
                                                                          {bit::waiting_mail_data, "data"},
                                                                          {bit::waiting_hand_over, "hand_over"},
                                                                          {bit::waiting_plain_response, "plain"},
                                                                          {bit::waiting_username, "username"},
                                                                          {bit::waiting_password, "password"},
                                                                          {bit::waiting_credentials, "credentials"},
                                                                          {bit::waiting_handshake, "handshake"},
                                                                          {bit::waiting_end, "end"}}};
  Memory memory{.phase = {},
                .tls = guards.has(bit::channel_starttls),
                .logged_in = guards.has(bit::authentication_done),
                .has_sender = !guards.has(bit::transaction_none),
                .has_recipient = guards.has(bit::transaction_rcpt),
                .errors = guards.has(bit::errors_spent) ? static_cast<int>(spec::max_errors) : 0,
                .auth_commands = guards.has(bit::auth_attempts_spent) ? static_cast<int>(spec::max_auth_attempts) : 0};
  for (const auto& [waiting, phase] : phases) {
    if (guards.has(waiting)) memory.phase += phase;
  }
  memory.hello = guards.has(bit::greeting_helo) ? "HELO" : guards.has(bit::greeting_ehlo) ? "EHLO" : "";
  return memory;
}

World world_of(const engine::Service& service) {
  World world{.host = std::string(service.host),
              .databytes = service.databytes,
              .max_recipients = service.max_recipients,
              .strict_addresses = service.strict_addresses,
              .has_room = service.room == nullptr,
              .asks_at_data = service.asks_at_data};
  for (std::size_t i = 0; i < switches.size(); ++i)
    world.*switches[i].second = service.settings_and_facts.has(switch_bits[i]);
  return world;
}

engine::Service service_of(const World& world) {
  spec::Guards guards;
  for (std::size_t i = 0; i < switches.size(); ++i) guards.set(switch_bits[i], world.*switches[i].second);
  return {.settings_and_facts = guards,
          .host = audit::dialogue_host,
          .databytes = world.databytes,
          .max_recipients = world.max_recipients,
          .strict_addresses = world.strict_addresses,
          .asks_at_data = world.asks_at_data,
          .room = world.has_room ? nullptr : &engine::no_room()};
}

World world_number(unsigned number) {
  World world{.host = std::string(audit::dialogue_host), .databytes = 1000, .max_recipients = 2};
  for (std::size_t i = 0; i < switches.size(); ++i) world.*switches[i].second = (number >> i & 1) != 0;
  return world;
}

std::string head_of(const World& world) {
  std::string head = "with";
  for (std::size_t i = 0; i < switches.size(); ++i) {
    const bool is_on = world.*switches[i].second;
    if (i < settings) head += " " + std::string(switches[i].first) + (is_on ? "=1" : "=0");
    if (i >= settings && is_on) head += " " + std::string(switches[i].first);
  }
  return head + " databytes=" + std::to_string(world.databytes) +
         " max_recipients=" + std::to_string(world.max_recipients) + (world.has_room ? "" : " no_room") +
         (world.asks_at_data ? " asks_at_data" : "");
}

// ---- the engine's side

EngineSide::EngineSide(const World& world) : session_(std::make_unique<engine::LoneSession>(service_of(world))) {}

void EngineSide::hear(std::string_view octets) {
  unread_ += octets;
  pump();
}

void EngineSide::learn(const std::string& outcome, const std::string& text) {
  const bool is_recipient = session_->guards().has(bit::waiting_recipient);
  const bool has_words = outcome == "recipient.client_listed";
  const std::string address = is_recipient && (text.empty() || has_words) ? std::string(session_->mailbox()) : text;
  take(session_->report(event_named(outcome), address, has_words ? text : ""));
  pump();
}

void EngineSide::pump() {
  constexpr std::uint64_t hears = bit::waiting_command | bit::waiting_mail_data | waiting_for_answer;
  while (session_->guards().has(hears)) {
    scratch_.resize(unread_.size() + 2);
    const engine::Step step = session_->step(unread_, scratch_);
    message_ += step.data;
    unread_.erase(0, step.consumed);
    if (step.is_decision)
      take(step);
    else if (step.consumed == 0 || unread_.empty())
      return;
  }
}

void EngineSide::take(const engine::Step& step) {
  for (std::string_view reply = step.reply; !reply.empty();) {
    const std::size_t end = reply.find("\r\n") + 2;
    words_.emplace_back('S', reply.substr(0, end));
    reply.remove_prefix(end);
  }
  if (step.effect == Effect::begin_message) message_.clear();
  if (step.effect == Effect::hand_over) hand_over();
  if (step.effect == Effect::close) words_.emplace_back('X', "");
}

void EngineSide::hand_over() {
  for (std::string_view rest = session_->envelope().octets(); rest.size() > 1;) {
    const std::size_t end = rest.find('\0');
    words_.emplace_back(rest[0], rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  for (std::string_view rest = message_; !rest.empty();) {
    const std::size_t end = rest.find('\n') + 1;
    words_.emplace_back('M', rest.substr(0, end));
    rest.remove_prefix(end);
  }
}

std::string EngineSide::state() const { return state_of(memory_of(session_->guards())); }

// ---- the alphabet

std::vector<Letter> letters_for(const std::string& phase) {
  const auto ends = happening({"timeout", "eof", "too_slow", "shutting_down", "exhausted"});
  if (phase == "connect")
    return happening({"shutting_down",
                      "exhausted",
                      "connect.busy",
                      "connect.malformed_proxy",
                      "connect.denied",
                      "connect.listed_permanently",
                      "connect.listed_for_now",
                      "connect.client_busy",
                      "connect.client_too_fast",
                      "connect.client_guesses",
                      "connect.shutting_down",
                      "connect.exhausted",
                      "connect.bad_value",
                      "connect.no_controls",
                      "connect.no_auth_cdb",
                      "connect.broken_certificate",
                      "connect.no_hand_over",
                      "connect.early_talker",
                      "connect.dns_listed",
                      "connect.ready"});
  if (phase == "command") return together(commands(), ends);
  if (phase == "plain" || phase == "username" || phase == "password") return together(answers(), ends);
  if (phase == "data") return together(messages(), ends);
  if (phase == "recipient")
    return happening({"recipient.ours", "recipient.foreign", "recipient.relay_requested", "recipient.sender_refused",
                      "recipient.refused", "recipient.unknown", "recipient.too_many_unknown", "recipient.unknowable",
                      "recipient.program_refused", "recipient.program_deferred", "recipient.client_listed",
                      "recipient.policy_refused", "recipient.policy_deferred", "recipient.policy_failed",
                      "recipient.policy_waived", "recipient.greylisted"});
  if (phase == "message")
    return {{.octets = {}, .outcome = "message.permitted", .text = {}},
            {.octets = {}, .outcome = "message.policy_refused", .text = "5.7.1 too many recipients for one message"},
            {.octets = {}, .outcome = "message.policy_deferred", .text = "4.7.1 Rate limit reached"},
            {.octets = {}, .outcome = "message.policy_failed", .text = {}},
            {.octets = {}, .outcome = "message.policy_waived", .text = {}}};
  if (phase == "credentials")
    return happening({"credentials.accepted", "credentials.rejected", "credentials.user_gated", "credentials.broken"});
  if (phase == "hand_over")
    return {{.octets = {}, .outcome = "hand_over.accepted", .text = "1700000000 qp 7"},
            {.octets = {}, .outcome = "hand_over.deferred", .text = "qq timeout (#4.3.0)"},
            {.octets = {}, .outcome = "hand_over.refused", .text = "we do not accept SPAM (#5.3.0)"},
            {.octets = {}, .outcome = "hand_over.filter_refused", .text = "5.7.1 Spam message rejected"},
            {.octets = {}, .outcome = "hand_over.filter_deferred", .text = "4.7.1 Try again later"},
            {.octets = {}, .outcome = "hand_over.filter_failed", .text = {}},
            {.octets = {}, .outcome = "hand_over.filter_discarded", .text = "1700000000 qp 8"},
            {.octets = {}, .outcome = "hand_over.filter_waived", .text = "1700000000 qp 9"},
            {.octets = {}, .outcome = "hand_over.filter_too_big", .text = "1700000000 qp 10"},
            {.octets = {}, .outcome = "hand_over.client_gone", .text = {}}};
  if (phase == "handshake") return happening({"handshake.done", "handshake.failed", "timeout", "eof", "shutting_down"});
  return {};
}

std::vector<Letter> few_letters_for(const std::string& phase) {
  if (phase == "connect") return happening({"connect.ready"});
  if (phase == "command")
    return sent({"XYZZY\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", "DATA\r\n", "STARTTLS\r\n",
                 "AUTH PLAIN " + plain + "\r\n", "AUTH X\r\n", "QUIT\r\n"});
  if (phase == "data") return sent({".\r\n"});
  if (phase == "recipient") return happening({"recipient.ours", "recipient.unknowable"});
  if (phase == "handshake") return happening({"handshake.done"});
  return letters_for(phase);
}

// ---- both sides

std::string take(Reference& reference, EngineSide& engine, const Letter& letter) {
  if (letter.outcome.empty()) {
    reference.hear(letter.octets);
    engine.hear(letter.octets);
  } else {
    reference.learn(letter.outcome, letter.text);
    engine.learn(letter.outcome, letter.text);
  }
  const Words wanted = reference.take_words(), found = engine.take_words();
  std::string difference;
  if (wanted != found) {
    for (const Word& word : wanted) difference += "- " + written(word) + "\n";
    for (const Word& word : found) difference += "+ " + written(word) + "\n";
  }
  if (reference.state() != engine.state())
    difference += "- state " + reference.state() + "\n+ state " + engine.state() + "\n";
  const auto [errors, auth_attempts, unknown_recipients] = engine.counters();
  const bool counts_agree = errors == static_cast<unsigned>(reference.errors()) &&
                            auth_attempts == static_cast<unsigned>(reference.auth_commands());
  if (!counts_agree && reference.phase() != "end") difference += "- counts of mistakes differ\n";
  return difference;
}

std::string written(const Word& word) {
  using audit::ItemKind;
  constexpr std::string_view names = "SFTMX";
  constexpr std::array kinds{ItemKind::server, ItemKind::reverse_path, ItemKind::forward_path, ItemKind::message,
                             ItemKind::closes};
  return audit::written(audit::Item{.kind = kinds[names.find(word.first)], .octets = word.second});
}

std::string written(const Letter& letter) {
  if (!letter.outcome.empty()) return "= " + letter.outcome + (letter.text.empty() ? "" : " " + letter.text);
  std::string lines;
  for (std::size_t begin = 0; begin < letter.octets.size();) {
    const std::size_t end = std::min(letter.octets.find('\n', begin), letter.octets.size() - 1) + 1;
    lines += lines.empty() ? "" : "\n";
    lines += audit::written(
        audit::Item{.kind = audit::ItemKind::client, .octets = letter.octets.substr(begin, end - begin)});
    begin = end;
  }
  return lines;
}

std::string as_dialogue(const World& world, const std::vector<Letter>& way) {
  Reference reference(world);
  std::string text = head_of(world) + "\n";
  for (const Letter& letter : way) {
    text += written(letter) + "\n";
    if (letter.outcome.empty())
      reference.hear(letter.octets);
    else
      reference.learn(letter.outcome, letter.text);
    for (const Word& word : reference.take_words()) text += written(word) + "\n";
  }
  return text;
}

}  // namespace postern::testing
