#include "testing/script.hpp"

#include <algorithm>

namespace postern::testing {

using spec::Event;
namespace bit = spec::bit;

namespace {

std::size_t piece_size(Cut cut, std::size_t sent, std::size_t left) {
  switch (cut.how) {
    case Cut::How::whole: return left;
    case Cut::How::in_two: return sent < cut.octets ? std::min(cut.octets - sent, left) : left;
    case Cut::How::in_pieces: return std::min(std::max<std::size_t>(cut.octets, 1), left);
  }
  return left;
}

void judge_moment(const Judge& judge, const Moment& moment, std::string& broken_law) {
  if (!broken_law.empty()) return;
  broken_law = judge.complaint(moment.decision);
  for (const SessionLaw& law : all_session_laws) {
    if (broken_law.empty() && !law.is_kept(moment)) broken_law = law.name;
  }
}

Event outcome_of_recipient(unsigned fate) {
  switch (fate % 16) {
    case 1: return Event::recipient_greylisted;
    case 2: return Event::recipient_policy_waived;
    case 3: return Event::recipient_policy_failed;
    case 4: return Event::recipient_foreign;
    case 5: return Event::recipient_relay_requested;
    case 6: return Event::recipient_sender_refused;
    case 7: return Event::recipient_unknowable;
    case 8: return Event::recipient_policy_refused;
    case 9: return Event::recipient_policy_deferred;
    case 10: return Event::recipient_program_refused;
    case 11: return Event::recipient_program_deferred;
    case 12: return Event::recipient_client_listed;
    case 13: return Event::recipient_refused;
    case 14: return Event::recipient_unknown;
    case 15: return Event::recipient_too_many_unknown;
    default: return Event::recipient_ours;
  }
}

Event outcome_of_message(unsigned fate) {
  switch (fate % 8) {
    case 4: return Event::message_policy_waived;
    case 5: return Event::message_policy_failed;
    case 6: return Event::message_policy_deferred;
    case 7: return Event::message_policy_refused;
    default: return Event::message_permitted;
  }
}

Event outcome_of_hand_over(unsigned fate) {
  const bool is_of_filter = fate / 8 % 2 == 1;
  switch (fate % 8) {
    case 2: return is_of_filter ? Event::hand_over_filter_discarded : Event::hand_over_accepted;
    case 3: return is_of_filter ? Event::hand_over_filter_waived : Event::hand_over_accepted;
    case 4: return is_of_filter ? Event::hand_over_filter_too_big : Event::hand_over_accepted;
    case 5: return is_of_filter ? Event::hand_over_filter_failed : Event::hand_over_client_gone;
    case 6: return is_of_filter ? Event::hand_over_filter_deferred : Event::hand_over_deferred;
    case 7: return is_of_filter ? Event::hand_over_filter_refused : Event::hand_over_refused;
    default: return Event::hand_over_accepted;
  }
}

}  // namespace

Event outcome_for(spec::Guards guards, std::uint8_t fate) {
  // Mostly good ends: a session to which nothing happens goes deepest.
  const unsigned kind = fate % 8;
  if (guards.has(bit::waiting_recipient)) return outcome_of_recipient(fate);
  if (guards.has(bit::waiting_message)) return outcome_of_message(fate);
  if (guards.has(bit::waiting_credentials)) {
    if (kind < 5) return Event::credentials_accepted;
    if (kind < 6) return Event::credentials_rejected;
    return kind == 6 ? Event::credentials_user_gated : Event::credentials_broken;
  }
  return outcome_of_hand_over(fate);
}

Played play(const Judge& judge, const Script& script, Cut cut, AfterStarttls after_starttls) {
  Played played;
  Driver driver({.settings_and_facts = script.settings_and_facts,
                 .host = audit::dialogue_host,
                 .databytes = script.databytes,
                 .max_recipients = script.max_recipients,
                 .asks_at_data = script.asks_at_data,
                 .room = script.has_room ? nullptr : &engine::no_room()},
                after_starttls);
  std::size_t asked = 0;
  driver.answer_by([&](spec::Guards guards) {
    const std::uint8_t fate = script.fates.empty() ? std::uint8_t{0} : script.fates[asked % script.fates.size()];
    ++asked;
    return outcome_for(guards, fate);
  });
  driver.watch([&](const Moment& moment) { judge_moment(judge, moment, played.broken_law); });
  driver.happen(Event::connect_ready);
  std::size_t sent = 0;
  for (const Part& part : script.parts) {
    for (std::string_view octets = part.octets; !octets.empty();) {
      const std::size_t size = piece_size(cut, sent, octets.size());
      driver.send(octets.substr(0, size));
      octets.remove_prefix(size);
      sent += size;
    }
    if (part.then && driver.waits_for(*part.then)) driver.happen(*part.then);
  }
  played.replay = {driver.heard(), driver.decisions(), driver.problem()};
  return played;
}

}  // namespace postern::testing
