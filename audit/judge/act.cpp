#include "audit/judge/act.hpp"

#include <algorithm>
#include <array>

#include "audit/dialogue.hpp"
#include "audit/samples.hpp"
#include "audit/text.hpp"

namespace postern::audit {
namespace {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

// Nobody has this account: what is refused for it tells nothing about anybody.
constexpr std::string_view made_up_user = "postern-judge";
constexpr std::string_view made_up_password = "no-such-password";

bool begins(Event event, std::string_view with) { return spec::name_of(event).starts_with(with); }

std::string credentials_for(const TrialStep& step, const Surroundings& by) {
  const std::string user(step.uses_login ? by.user : made_up_user);
  const std::string password(step.uses_login ? by.password : made_up_password);
  if (step.act.asked == Event::auth_login_username || step.first.before.has(bit::waiting_username)) return base64(user);
  if (step.first.before.has(bit::waiting_password)) return base64(password);
  return base64(std::string(1, '\0') + user + '\0' + password);
}

// As samples.hpp has it, for what needs nothing of the surroundings.
std::string sample_octets(Event event, spec::Guards before) {
  const auto parsed = parse_dialogue("with\n" + joined(sample_lines(event, before), "\n") + "\n", "sample");
  std::string octets;
  if (parsed)
    for (const Item& item : parsed->items) octets += item.octets;
  return octets;
}

std::string mail_command(const TrialStep& step, const Surroundings& by, std::uint64_t size_limit) {
  const std::string mail = "MAIL FROM:<" + by.reverse_path + ">";
  if (step.act.asked == Event::mail_with_auth) return mail + " AUTH=<>\r\n";
  if (step.act.asked == Event::mail_too_big) return mail + " SIZE=" + std::to_string(size_limit + 1) + "\r\n";
  return mail + "\r\n";
}

std::string recipient_command(const TrialStep& step, const Surroundings& by) {
  const bool is_foreign = step.act.outcome == Event::recipient_foreign || by.own_recipient.empty();
  const std::string& named = is_foreign ? by.foreign_recipient : by.own_recipient;
  return "RCPT TO:<" + (named.empty() ? "judge@example.com" : named) + ">\r\n";
}

std::string octets_for(const TrialStep& step, const Surroundings& by, std::uint64_t size_limit) {
  switch (step.act.asked) {
    case Event::helo: return "HELO " + by.client_name + "\r\n";
    case Event::ehlo: return "EHLO " + by.client_name + "\r\n";
    case Event::mail_valid:
    case Event::mail_with_auth:
    case Event::mail_too_big: return mail_command(step, by, size_limit);
    case Event::rcpt_valid: return recipient_command(step, by);
    case Event::auth_plain_response: return "AUTH PLAIN " + credentials_for(step, by) + "\r\n";
    case Event::auth_login_username: return "AUTH LOGIN " + credentials_for(step, by) + "\r\n";
    case Event::response_valid: return credentials_for(step, by) + "\r\n";
    case Event::data_end_complete: return "Subject: postern judge\r\n\r\nSent by postern judge --send.\r\n.\r\n";
    default: return sample_octets(step.act.asked, step.first.before);
  }
}

std::string shown_for(const TrialStep& step, std::string_view octets) {
  if (step.uses_login && step.act.asked == Event::auth_plain_response) return "C: AUTH PLAIN (the login)";
  if (step.uses_login && step.act.asked == Event::auth_login_username) return "C: AUTH LOGIN (the user)";
  if (step.uses_login) return step.first.before.has(bit::waiting_username) ? "C: (the user)" : "C: (the login)";
  std::vector<std::string> lines;
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find("\r\n"), octets.size() - std::min<std::size_t>(2, octets.size())) + 2;
    lines.push_back(written({.kind = ItemKind::client, .octets = std::string(octets.substr(0, end))}));
    octets.remove_prefix(std::min(end, octets.size()));
  }
  return joined(lines, "\n");
}

std::vector<Event> outcomes_of(Effect effect, Event asked) {
  if (effect == Effect::check_recipient) return {Event::recipient_ours, Event::recipient_foreign};
  if (effect == Effect::check_credentials) return {Event::credentials_accepted, Event::credentials_rejected};
  if (effect == Effect::hand_over) return {Event::hand_over_accepted};
  return {asked};
}

}  // namespace

std::vector<Act> acts_in(const Policy& policy, spec::Guards state) {
  std::vector<Act> acts;
  for (const Event event : policy.events_in(state)) {
    if (!why_unplayed(event).empty()) continue;
    for (const Event outcome : outcomes_of(policy.decide(state, event).row->effect, event))
      acts.push_back({event, outcome});
  }
  return acts;
}

TrialStep step_of(const Policy& policy, spec::Guards state, Act act) {
  const Decision first = policy.decide(state, act.asked);
  const std::vector<Event> outcomes = outcomes_of(first.row->effect, act.asked);
  if (std::ranges::find(outcomes, act.outcome) == outcomes.end()) act.outcome = outcomes.front();
  return {act, first, act.outcome == act.asked ? first : policy.decide(first.after, act.outcome)};
}

std::string hindrance_of(const TrialStep& step, const Surroundings& by) {
  if (step.act.outcome == Event::recipient_ours && by.own_recipient.empty())
    return "no recipient of the server's own domains was named (--recipient)";
  if (step.act.outcome == Event::recipient_foreign && by.foreign_recipient.empty())
    return "no recipient of another domain was named (--foreign)";
  if (step.act.outcome == Event::credentials_accepted && !by.has_login())
    return "no login was given (--user and --password-file)";
  const bool begins_message = step.first.row->effect == Effect::begin_message || begins(step.act.asked, "data_end.");
  if (begins_message && !by.may_send) return "no message is begun without --send";
  return {};
}

std::string why_unplayed(Event event) {
  if (event == Event::connect_ready || event == Event::handshake_done) return {};
  if (begins(event, "connect.")) return "only what surrounds the server, or its counts of clients, brings that about";
  if (event == Event::timeout || event == Event::too_slow) return "it takes as long as the server's own time limit";
  if (event == Event::shutting_down || event == Event::exhausted || event == Event::data_no_room ||
      event == Event::data_to_be_judged)
    return "only the server's operator, or its lack of memory, brings that about";
  if (event == Event::eof || event == Event::hand_over_client_gone) return "a client that has gone sees no answer";
  if (event == Event::handshake_failed) return "a handshake that fails is not tried";
  if (event == Event::rcpt_too_many) return "it takes as many recipients as the server allows";
  if (event == Event::data_without_end || event == Event::data_end_too_big)
    return "it takes more octets than a judge sends";
  const bool is_outcome = begins(event, "recipient.") || begins(event, "message.") || begins(event, "credentials.") ||
                          begins(event, "hand_over.");
  constexpr std::array arranged = {Event::recipient_ours, Event::recipient_foreign, Event::credentials_accepted,
                                   Event::credentials_rejected, Event::hand_over_accepted};
  if (is_outcome && std::ranges::find(arranged, event) == arranged.end())
    return "only what the server asks for its decision brings that about";
  return {};
}

std::optional<Speech> speech_of(const TrialStep& step, const Surroundings& by, std::uint64_t size_limit) {
  if (step.act.asked == Event::mail_too_big && size_limit == 0) return std::nullopt;
  const std::string octets = octets_for(step, by, size_limit);
  return Speech{octets, shown_for(step, octets)};
}

}  // namespace postern::audit
