// What must be true of every decision, whatever the table says: each law once, as a sentence and its source.
// in      Decision: the guards before, the event, what the row says, the guards after; Moment: one as a session takes
// it out     true: the law is kept; all_laws and all_session_laws list them for those who apply every one used
// exhaustively (exhaustive_policy), at random (random_sessions), by the fuzzer (fuzz/session.cpp) source  the seed
// document, RFC 5321, 3207, 4954, the numbered deviations; said at each law
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "engine/policy.hpp"
#include "engine/session.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::proptests {

struct Decision {
  spec::Guards before;
  spec::Event event{};
  spec::Rule rule{};
  std::uint16_t code = 0;  // of the reply; 0: nothing is sent
  spec::Effect effect{};
  spec::Guards after;

  friend bool operator==(const Decision&, const Decision&) = default;
};

namespace laws {

namespace bit = spec::bit;
using spec::Effect;
using spec::Event;

inline constexpr std::uint64_t waiting_for_answer =
    bit::waiting_plain_response | bit::waiting_username | bit::waiting_password;
inline constexpr std::uint64_t waiting_for_outcome =
    bit::waiting_recipient | bit::waiting_hand_over | bit::waiting_credentials | bit::waiting_handshake;
inline constexpr std::uint64_t waiting_bits = bit::waiting_connect | bit::waiting_command | bit::waiting_mail_data |
                                              bit::waiting_end | waiting_for_answer | waiting_for_outcome;
inline constexpr std::uint64_t transaction_bits = bit::transaction_none | bit::transaction_mail | bit::transaction_rcpt;

inline bool is_one_of(Event event, std::initializer_list<Event> events) {
  for (const Event each : events) {
    if (each == event) return true;
  }
  return false;
}
inline bool is_refusal(const Decision& d) { return d.code >= 400; }
inline bool awaits_outcome(Effect effect) {
  return effect == Effect::check_recipient || effect == Effect::check_credentials || effect == Effect::hand_over;
}
// A step on the way of a message: the transaction opens or grows, or mail data is taken.
inline bool accepts_mail(const Decision& d) {
  return d.effect == Effect::begin_transaction || d.effect == Effect::add_recipient ||
         d.effect == Effect::begin_message || d.effect == Effect::hand_over;
}
inline bool asks_for_password(const Decision& d) {
  return d.code == 334 || d.code == 235 || d.effect == Effect::check_credentials;
}
inline bool is_force_tls(spec::Guards g) { return g.has(bit::FORCE_TLS) && !g.has(bit::SSL); }
inline bool is_tls_implied(spec::Guards g) {
  return is_force_tls(g) || (g.has(bit::REQUIRE_AUTH) && !g.has(bit::ALLOW_INSECURE_AUTH) && !g.has(bit::SSL));
}
inline bool is_any_set(spec::Guards g, std::uint64_t bits) { return (g.bits & bits) != 0; }
inline bool is_advertised(spec::Guards g, std::string_view keyword) {
  for (const spec::CapabilityRow& row : spec::capability_rows()) {
    if (spec::text_at(row.text).starts_with(keyword) && (g.bits & row.care) == row.want) return true;
  }
  return false;
}
inline std::uint16_t code_for(spec::Guards g, Event event) {
  return spec::reply_row(engine::decide(g, event).reply).code;
}

// ---- passwords

// seed: AUTH, ALLOW_INSECURE_AUTH ("prevent the AUTH command from being advertised (or from being processed)")
inline bool no_auth_on_cleartext_unless_allowed(const Decision& d) {
  return !(d.before.has(bit::channel_clear) && !d.before.has(bit::ALLOW_INSECURE_AUTH)) || !asks_for_password(d);
}
// seed: AUTH ("and a suitable method of handling the AUTH command is available")
inline bool no_auth_without_backend(const Decision& d) {
  return (d.before.has(bit::AUTH) && d.before.has(bit::backend)) || !asks_for_password(d);
}
// RFC 4954 4: once authenticated, and during a transaction, AUTH is refused
inline bool no_second_auth_and_none_in_a_transaction(const Decision& d) {
  return !(d.before.has(bit::authentication_done) || !d.before.has(bit::transaction_none)) || !asks_for_password(d);
}
// RFC 4954 4: nobody but the backend authenticates a client
inline bool only_the_backend_authenticates(const Decision& d) {
  const bool becomes = !d.before.has(bit::authentication_done) && d.after.has(bit::authentication_done);
  return becomes == (d.event == Event::credentials_accepted) && becomes == (d.code == 235);
}
// RFC 4954 4: 334 is a challenge, and then an answer is waited for
inline bool a_challenge_waits_for_its_answer(const Decision& d) {
  return (d.code == 334) == (is_any_set(d.after, waiting_for_answer) && d.effect != Effect::close);
}
// RFC 4954 4: "*", a bad answer, a refused password end the exchange
inline bool a_failed_exchange_is_over(const Decision& d) {
  const bool was_exchange = is_any_set(d.before, waiting_for_answer | bit::waiting_credentials);
  return !(was_exchange && is_refusal(d)) || d.after.has(bit::waiting_command) || d.after.has(bit::waiting_end);
}
// deviation D7: who has guessed too often is sent away
inline bool too_many_guesses_end_the_session(const Decision& d) {
  const bool is_auth =
      is_one_of(d.event, {Event::auth_plain, Event::auth_plain_response, Event::auth_login, Event::auth_login_username,
                          Event::auth_malformed, Event::auth_unknown_mechanism});
  return !(is_auth && d.before.has(bit::auth_attempts_spent)) || (d.code == 421 && d.effect == Effect::close);
}

// ---- encryption

// seed: FORCE_TLS ("not accept ANY incoming mail until a successful STARTTLS command has been processed")
inline bool no_mail_before_tls_when_forced(const Decision& d) {
  return !(is_force_tls(d.before) && d.before.has(bit::channel_clear)) || !accepts_mail(d);
}
// seed: FORCE_TLS ("unless the server also has REQUIRE_AUTH=1 and ALLOW_INSECURE_AUTH=0")
inline bool tls_implied_means_encrypted_mail(const Decision& d) {
  return !(is_tls_implied(d.before) && accepts_mail(d)) || !d.before.has(bit::channel_clear);
}
// RFC 3207 4.2: not offered, not accepted twice
inline bool starttls_never_inside_tls(const Decision& d) {
  return !(d.effect == Effect::start_tls) || d.before.has(bit::channel_clear);
}
// seed: DENY_TLS; SSL; servercert.pem
inline bool starttls_never_when_denied(const Decision& d) {
  const bool is_possible = !d.before.has(bit::DENY_TLS) && !d.before.has(bit::SSL) && d.before.has(bit::certificate);
  return !(d.effect == Effect::start_tls) || is_possible;
}
// RFC 3207 4.2; deviation D1: the command AND what was known of the client
inline bool starttls_forgets_everything(const Decision& d) {
  constexpr std::uint64_t fresh = bit::channel_starttls | bit::authentication_none | bit::greeting_none |
                                  bit::transaction_none | bit::waiting_command;
  return !(d.event == Event::handshake_done) || (d.after.bits & fresh) == fresh;
}
// RFC 3207 4: after 220 comes a handshake and nothing else
inline bool tls_ready_means_handshake(const Decision& d) {
  return (d.effect == Effect::start_tls) == (d.event == Event::starttls && d.code == 220) &&
         (d.effect == Effect::start_tls) ==
             (d.after.has(bit::waiting_handshake) && !d.before.has(bit::waiting_handshake));
}
// RFC 3207 4.1: nothing is said in clear while the handshake runs, or when it has failed
inline bool a_handshake_is_silent(const Decision& d) { return !d.before.has(bit::waiting_handshake) || d.code == 0; }
// RFC 3207 4: a channel once encrypted stays so
inline bool no_way_back_to_cleartext(const Decision& d) {
  return d.before.has(bit::channel_clear) || !d.after.has(bit::channel_clear);
}
// RFC 3207 4.1, RFC 4954 3: what EHLO lists is obeyed, and what is obeyed is listed. Counts aside; who has
// authenticated still sees AUTH and gets 503 (RFC 4954 4).
inline bool advertised_exactly_when_obeyed(const Decision& d) {
  if (!(d.event == Event::ehlo && d.code == 250)) return true;
  spec::Guards g = d.after;
  g.set(bit::auth_attempts_spent, false);
  const bool starttls_obeyed = engine::decide(g, Event::starttls).effect == Effect::start_tls;
  g.set(bit::authentication_done, false);
  g.set(bit::authentication_none, true);
  const bool auth_obeyed = code_for(g, Event::auth_plain) == 334 && code_for(g, Event::auth_login) == 334;
  const bool auth_refused = code_for(g, Event::auth_plain) >= 500 && code_for(g, Event::auth_login) >= 500;
  return is_advertised(g, "STARTTLS") == starttls_obeyed && auth_obeyed != auth_refused &&
         is_advertised(g, "AUTH LOGIN PLAIN") == auth_obeyed && is_advertised(g, "AUTH=LOGIN PLAIN") == auth_obeyed;
}

// ---- mail

// seed: REQUIRE_AUTH ("not accept ANY mail unless the client has sent a valid AUTH command")
inline bool no_mail_before_auth_when_required(const Decision& d) {
  return !(d.before.has(bit::REQUIRE_AUTH) && !d.before.has(bit::authentication_done)) || !accepts_mail(d);
}
// seed: table, column "AUTH to relay, otherwise my domains only"
inline bool relaying_only_by_relayclient_or_auth(const Decision& d) {
  const bool may_relay = d.before.has(bit::relay_client) || d.before.has(bit::authentication_done);
  return !(d.event == Event::recipient_foreign && d.effect == Effect::add_recipient) || may_relay;
}
// seed: table, "my domains only": who may relay is not asked for a list, and one of ours is never refused
inline bool our_own_recipients_are_taken(const Decision& d) {
  return !(d.event == Event::recipient_ours) || (d.effect == Effect::add_recipient && d.code == 250);
}
// RFC 5321 3.3
inline bool data_only_after_recipient(const Decision& d) {
  return !(d.effect == Effect::begin_message) || (d.before.has(bit::transaction_rcpt) && d.code == 354);
}
// RFC 5321 4.1.4: MAIL, then RCPT, then DATA
inline bool a_transaction_grows_in_order(const Decision& d) {
  const bool opens = d.before.has(bit::transaction_none) && d.after.has(bit::transaction_mail);
  const bool fills =
      !d.before.has(bit::transaction_none) && d.after.has(bit::transaction_rcpt) && d.effect == Effect::add_recipient;
  const bool skips = d.before.has(bit::transaction_none) && d.after.has(bit::transaction_rcpt);
  const bool loses = d.before.has(bit::transaction_rcpt) && d.after.has(bit::transaction_mail);
  return opens == (d.effect == Effect::begin_transaction) && fills == (d.effect == Effect::add_recipient) && !skips &&
         !loses;
}
// RFC 5321 4.1.1.5, 4.1.4; RFC 3207 4.2
inline bool reset_clears_transaction(const Decision& d) {
  const bool resets =
      is_one_of(d.event, {Event::rset, Event::helo, Event::ehlo, Event::handshake_done, Event::data_end_bare_cr_or_lf,
                          Event::data_end_too_big, Event::data_end_too_many_hops, Event::hand_over_accepted,
                          Event::hand_over_deferred, Event::hand_over_refused});
  return !resets || d.effect == Effect::close || d.after.has(bit::transaction_none);
}
// RFC 5321 4.1.1.4, 4.2.5: 250 after mail data is said by who has the message
inline bool only_the_hand_over_accepts_a_message(const Decision& d) {
  const bool ends_data = d.before.has(bit::waiting_mail_data) || d.before.has(bit::waiting_hand_over);
  return !(ends_data && d.code == 250) || d.event == Event::hand_over_accepted;
}
// deviation D4: mail data with a bare CR or LF is never kept
inline bool bare_cr_or_lf_is_never_handed_over(const Decision& d) {
  return !(d.event == Event::data_end_bare_cr_or_lf) || (d.effect == Effect::abandon_message && d.code / 100 == 5);
}

// ---- the session

// RFC 5321 4.1.1.10
inline bool quit_is_always_221(const Decision& d) {
  return !(d.event == Event::quit) || (d.code == 221 && d.effect == Effect::close);
}
// RFC 5321 4.2: a command, an answer and a message get one reply: at once, or with the outcome that is waited for
inline bool one_reply_per_command(const Decision& d) {
  const bool is_silent = is_one_of(d.event, {Event::handshake_done, Event::handshake_failed, Event::eof}) ||
                         (d.event == Event::timeout && d.before.has(bit::waiting_handshake));
  return is_silent ? d.code == 0 : (d.code == 0) == awaits_outcome(d.effect);
}
// semantics 3: a refusal leaves the session where it was; only an exchange or a message that it ends is over
inline bool refused_changes_nothing(const Decision& d) {
  if (!is_refusal(d) || d.effect == Effect::close) return true;
  const bool ends_message = d.before.has(bit::waiting_mail_data) || d.before.has(bit::waiting_hand_over);
  const std::uint64_t changed = d.before.bits ^ d.after.bits;
  return (changed & ~(waiting_bits | (ends_message ? transaction_bits : 0))) == 0 && d.after.has(bit::waiting_command);
}
// RFC 5321 3.8, 4.1.1.10: a closed session is over, and only a closed one
inline bool a_close_is_the_end(const Decision& d) {
  return (d.effect == Effect::close) == d.after.has(bit::waiting_end) && !d.before.has(bit::waiting_end);
}
// RFC 5321 3.8: 421 announces the end of the session
inline bool service_not_available_closes(const Decision& d) { return !(d.code == 421) || d.effect == Effect::close; }
// docs/decisions/0003-rooms.md: settings and facts hold for the whole connection
inline bool settings_never_change(const Decision& d) {
  constexpr std::uint64_t fixed = bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH |
                                  bit::ALLOW_INSECURE_AUTH | bit::certificate | bit::backend | bit::relay_client;
  return ((d.before.bits ^ d.after.bits) & fixed) == 0;
}
// seed: FORCE_TLS, DENY_TLS, REQUIRE_AUTH; deviation D10: who is greeted can be served
inline bool nobody_is_greeted_in_vain(const Decision& d) {
  if (!(d.event == Event::connect_ready)) return true;
  const spec::Guards g = d.before;
  const bool can_start_tls = !g.has(bit::SSL) && !g.has(bit::DENY_TLS) && g.has(bit::certificate);
  const bool can_encrypt = g.has(bit::SSL) || can_start_tls;
  const bool can_auth = g.has(bit::AUTH) && g.has(bit::backend) && (can_encrypt || g.has(bit::ALLOW_INSECURE_AUTH));
  const bool can_serve = (!is_force_tls(g) || can_start_tls) && (!g.has(bit::REQUIRE_AUTH) || can_auth);
  return can_serve ? d.code == 220 && d.effect == Effect::none : d.code == 421;
}

}  // namespace laws

// A decision as a session takes it: what it said and did, and what it keeps.
struct Moment {
  const Decision& decision;
  const engine::Step& step;
  const engine::Session& session;
};

namespace session_laws {

namespace bit = spec::bit;

// RFC 5321 4.2, 4.2.1, 4.5.3.1.5: lines of at most 512 octets, all with the code, `-` on all but the last
inline bool a_reply_is_made_of_whole_lines(const Moment& m) {
  std::string_view reply = m.step.reply;
  if (reply.empty()) return m.step.code == 0;
  while (!reply.empty()) {
    const std::size_t end = reply.find("\r\n");
    if (end == std::string_view::npos || end < 4 || end + 2 > 512) return false;
    const std::string_view line = reply.substr(0, end);
    reply.remove_prefix(end + 2);
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (code != m.step.code || line[3] != (reply.empty() ? ' ' : '-') || line.find_first_of("\r\n") != line.npos)
      return false;
  }
  return true;
}
// RFC 5321 3.3, 4.1.1.5: the envelope is that of the transaction, and goes with it
inline bool an_envelope_belongs_to_a_transaction(const Moment& m) {
  const spec::Guards after = m.decision.after;
  const std::size_t recipients = m.session.envelope().recipients();
  return m.session.envelope().octets().empty() == after.has(bit::transaction_none) &&
         (recipients != 0) == after.has(bit::transaction_rcpt) && recipients <= spec::max_recipients;
}
// deviation D7; RFC 4954 9: a password is kept no longer than the backend needs it
inline bool passwords_are_wiped(const Moment& m) {
  const bool is_needed = m.decision.after.has(bit::waiting_password | bit::waiting_credentials);
  return is_needed || (m.session.username().empty() && m.session.password().empty());
}
// semantics 3: what is refused never reaches the backend; what reaches it is whole
inline bool the_backend_gets_user_and_password(const Moment& m) {
  const bool is_whole = !m.session.username().empty() && !m.session.password().empty();
  return m.decision.effect != spec::Effect::check_credentials || is_whole;
}
// RFC 3207 4.2: "the argument to the EHLO command" is forgotten with the rest
inline bool no_name_without_a_greeting(const Moment& m) {
  return !m.decision.after.has(bit::greeting_none) || m.session.client_name().empty();
}
// docs/decisions/0003-rooms.md: an outcome uses no octet of the client, and mail data comes only when it is asked for
inline bool octets_are_used_where_they_belong(const Moment& m) {
  const bool is_line = m.decision.before.has(bit::waiting_command | laws::waiting_for_answer);
  const bool is_data = m.decision.before.has(bit::waiting_mail_data);
  return (m.step.consumed == 0 || is_line || is_data) && (m.step.data.empty() || is_data);
}
// deviations D6, D7: who has spent all his mistakes or attempts goes with the next one
inline bool counts_are_bounded(const Moment& m) {
  return m.session.counters().errors <= spec::max_errors + 1 &&
         m.session.counters().auth_attempts <= spec::max_auth_attempts + 1;
}

}  // namespace session_laws

struct Law {
  const char* name;
  bool (*is_kept)(const Decision&);
};
struct SessionLaw {
  const char* name;
  bool (*is_kept)(const Moment&);
};

inline constexpr std::array all_laws = {
    Law{"no_auth_on_cleartext_unless_allowed", laws::no_auth_on_cleartext_unless_allowed},
    Law{"no_auth_without_backend", laws::no_auth_without_backend},
    Law{"no_second_auth_and_none_in_a_transaction", laws::no_second_auth_and_none_in_a_transaction},
    Law{"only_the_backend_authenticates", laws::only_the_backend_authenticates},
    Law{"a_challenge_waits_for_its_answer", laws::a_challenge_waits_for_its_answer},
    Law{"a_failed_exchange_is_over", laws::a_failed_exchange_is_over},
    Law{"too_many_guesses_end_the_session", laws::too_many_guesses_end_the_session},
    Law{"no_mail_before_tls_when_forced", laws::no_mail_before_tls_when_forced},
    Law{"tls_implied_means_encrypted_mail", laws::tls_implied_means_encrypted_mail},
    Law{"starttls_never_inside_tls", laws::starttls_never_inside_tls},
    Law{"starttls_never_when_denied", laws::starttls_never_when_denied},
    Law{"starttls_forgets_everything", laws::starttls_forgets_everything},
    Law{"tls_ready_means_handshake", laws::tls_ready_means_handshake},
    Law{"a_handshake_is_silent", laws::a_handshake_is_silent},
    Law{"no_way_back_to_cleartext", laws::no_way_back_to_cleartext},
    Law{"advertised_exactly_when_obeyed", laws::advertised_exactly_when_obeyed},
    Law{"no_mail_before_auth_when_required", laws::no_mail_before_auth_when_required},
    Law{"relaying_only_by_relayclient_or_auth", laws::relaying_only_by_relayclient_or_auth},
    Law{"our_own_recipients_are_taken", laws::our_own_recipients_are_taken},
    Law{"data_only_after_recipient", laws::data_only_after_recipient},
    Law{"a_transaction_grows_in_order", laws::a_transaction_grows_in_order},
    Law{"reset_clears_transaction", laws::reset_clears_transaction},
    Law{"only_the_hand_over_accepts_a_message", laws::only_the_hand_over_accepts_a_message},
    Law{"bare_cr_or_lf_is_never_handed_over", laws::bare_cr_or_lf_is_never_handed_over},
    Law{"quit_is_always_221", laws::quit_is_always_221},
    Law{"one_reply_per_command", laws::one_reply_per_command},
    Law{"refused_changes_nothing", laws::refused_changes_nothing},
    Law{"a_close_is_the_end", laws::a_close_is_the_end},
    Law{"service_not_available_closes", laws::service_not_available_closes},
    Law{"settings_never_change", laws::settings_never_change},
    Law{"nobody_is_greeted_in_vain", laws::nobody_is_greeted_in_vain},
};

inline constexpr std::array all_session_laws = {
    SessionLaw{"a_reply_is_made_of_whole_lines", session_laws::a_reply_is_made_of_whole_lines},
    SessionLaw{"an_envelope_belongs_to_a_transaction", session_laws::an_envelope_belongs_to_a_transaction},
    SessionLaw{"passwords_are_wiped", session_laws::passwords_are_wiped},
    SessionLaw{"the_backend_gets_user_and_password", session_laws::the_backend_gets_user_and_password},
    SessionLaw{"no_name_without_a_greeting", session_laws::no_name_without_a_greeting},
    SessionLaw{"octets_are_used_where_they_belong", session_laws::octets_are_used_where_they_belong},
    SessionLaw{"counts_are_bounded", session_laws::counts_are_bounded},
};

}  // namespace postern::proptests
