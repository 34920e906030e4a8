#include "testing/judge.hpp"

#include <algorithm>
#include <array>

#include "testing/reference_walk.hpp"

namespace postern::testing {
namespace {

namespace bit = spec::bit;
using spec::Effect;
using spec::Event;

constexpr std::size_t slots = std::size_t{1} << 16;

struct Sample {
  Event event;
  std::string octets;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// What a client sends for such an event to happen, where a size limit of 1000 octets holds and one recipient is too
// many when there is one already.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {Event::line_bare_lf, "NOOP\n"},
      {Event::line_too_long, "NOOP " + repeated("a", 2042) + "\r\n"},
      {Event::line_control_octet, "NOOP \x01\r\n"},
      {Event::argument_missing, "VRFY\r\n"},
      {Event::argument_not_allowed, "RSET x\r\n"},
      {Event::helo, "HELO c.example\r\n"},
      {Event::ehlo, "EHLO c.example\r\n"},
      {Event::mail_valid, "MAIL FROM:<a@b.example>\r\n"},
      {Event::mail_with_auth, "MAIL FROM:<a@b.example> AUTH=<>\r\n"},
      {Event::mail_malformed, "MAIL FROM:<a@b..example>\r\n"},
      {Event::mail_too_big, "MAIL FROM:<a@b.example> SIZE=1001\r\n"},
      {Event::rcpt_valid, "RCPT TO:<c@d.example>\r\n"},
      {Event::rcpt_malformed, "RCPT TO:<c>\r\n"},
      {Event::rcpt_too_many, "RCPT TO:<c@d.example>\r\n"},
      {Event::data, "DATA\r\n"},
      {Event::data_no_room, "DATA\r\n"},
      {Event::data_to_be_judged, "DATA\r\n"},
      {Event::rset, "RSET\r\n"},
      {Event::noop, "NOOP\r\n"},
      {Event::vrfy, "VRFY x\r\n"},
      {Event::expn, "EXPN x\r\n"},
      {Event::help, "HELP\r\n"},
      {Event::quit, "QUIT\r\n"},
      {Event::http_request, "GET / HTTP/1.1\r\n"},
      {Event::unknown, "XYZZY\r\n"},
      {Event::starttls, "STARTTLS\r\n"},
      {Event::starttls_parameter, "STARTTLS now\r\n"},
      {Event::auth_plain, "AUTH PLAIN\r\n"},
      {Event::auth_plain_response, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"},
      {Event::auth_login, "AUTH LOGIN\r\n"},
      {Event::auth_login_username, "AUTH LOGIN dGlt\r\n"},
      {Event::auth_malformed, "AUTH LOGIN !\r\n"},
      {Event::auth_unknown_mechanism, "AUTH CRAM-MD5\r\n"},
      {Event::response_malformed, "=\r\n"},
      {Event::response_cancelled, "*\r\n"},
      {Event::response_bare_lf, "dGlt\n"},
      {Event::response_too_long, repeated("A", 12287) + "\r\n"},
      {Event::data_end_complete, ".\r\n"},
      {Event::data_end_bare_cr_or_lf, "a\nb\r\n.\r\n"},
      {Event::data_end_nul, std::string("a\0b\r\n.\r\n", 8)},
      {Event::data_end_too_big, repeated("0123456789\r\n", 91) + ".\r\n"},
  };
  return all;
}

std::string octets_for(Event event, const Memory& memory) {
  if (event == Event::response_valid) return memory.phase == "plain" ? "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n" : "dGlt\r\n";
  if (event == Event::data_end_too_many_hops) return repeated("received:\r\n", 100) + ".\r\n";
  const auto sample = std::ranges::find(samples(), event, &Sample::event);
  return sample != samples().end() ? sample->octets : "";
}

// Some decisions depend on limits: the least world in which the event can happen.
World world_for(const Decision& decision) {
  World world = world_of({.settings_and_facts = decision.before, .host = "mx.example"});
  const bool is_small = decision.event == Event::mail_too_big || decision.event == Event::data_end_too_big;
  world.databytes = is_small ? 1000 : 0;
  world.has_room = decision.event != Event::data_no_room;
  world.asks_at_data = decision.event == Event::data_to_be_judged;
  if (decision.event == Event::rcpt_too_many) world.max_recipients = decision.before.has(bit::transaction_rcpt) ? 1 : 0;
  return world;
}

}  // namespace

std::string contradiction(const Decision& decision) {
  if (decision.event == Event::data_without_end) return {};
  const Memory before = memory_of(decision.before);
  Reference reference(world_for(decision), before);
  const std::string octets = octets_for(decision.event, before);
  if (octets.empty())
    reference.learn(std::string(spec::name_of(decision.event)));
  else
    reference.hear(octets);
  const Words words = reference.take_words();
  const auto says = [&](char kind) { return std::ranges::find(words, kind, &Word::first); };
  const int code = says('S') != words.end() ? std::stoi(says('S')->second) : 0;
  std::string wrong;
  if (code != decision.code) wrong += " says " + std::to_string(code);
  if ((says('X') != words.end()) != (decision.effect == Effect::close)) wrong += " closes or does not";
  if ((says('F') != words.end()) != (decision.effect == Effect::hand_over)) wrong += " hands over or does not";
  if (reference.state() != state_of(memory_of(decision.after))) wrong += " is then in \"" + reference.state() + "\"";
  if (wrong.empty()) return {};
  return "at " + std::string(spec::name_of(decision.event)) + " in \"" + state_of(before) + "\" rule " +
         std::string(spec::name_of(decision.rule)) + " says " + std::to_string(decision.code) + " and goes to \"" +
         state_of(memory_of(decision.after)) + "\"; the second opinion" + wrong;
}

std::size_t Judge::Hash::operator()(const Decision& decision) const {
  std::uint64_t hash = decision.before.bits * 0x9E3779B97F4A7C15U;
  hash ^= (decision.after.bits + static_cast<std::uint64_t>(decision.event)) * 0xC2B2AE3D27D4EB4FU;
  hash ^= (static_cast<std::uint64_t>(decision.rule) << 16U | decision.code) * 0x165667B19E3779F9U;
  return hash ^ hash >> 29U;
}

Judge::Judge(const std::filesystem::path& spec_folder) : laws_(spec_folder), recent_(slots) {}

const std::string& Judge::complaint(const Decision& decision) const {
  Slot& slot = recent_[Hash()(decision) % slots];
  if (slot.complaint != nullptr && slot.decision == decision) return *slot.complaint;
  auto known = judged_.find(decision);
  if (known == judged_.end()) {
    std::string wrong = laws_.broken_by(decision);
    if (wrong.empty()) wrong = laws_.departure(decision);
    if (wrong.empty()) wrong = contradiction(decision);
    known = judged_.emplace(decision, std::move(wrong)).first;
  }
  slot = {decision, &known->second};
  return known->second;
}

}  // namespace postern::testing
