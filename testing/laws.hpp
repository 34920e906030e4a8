// What must be true of a session besides its decisions: each law once, as a sentence and its source. The laws of decisions
// are spec/laws.toml; testing/law_book.hpp applies them.
// in      Moment: a decision as a session takes it, what it says and does, what it keeps
// out     true: the law is kept; all_session_laws lists them for those who apply every one
// used    on dialogues, on random sessions, by the fuzzer
// source  RFC 5321, 3207, 4954, the numbered deviations; said at each law
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/session.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::testing {

struct Decision {
  spec::Guards before;
  spec::Event event{};
  spec::Rule rule{};
  std::uint16_t code = 0;  // of the reply; 0: nothing is sent
  spec::Effect effect{};
  spec::Guards after;

  friend bool operator==(const Decision&, const Decision&) = default;
};

// What a session waits for: an answer to a challenge, or the outcome of work.
inline constexpr std::uint64_t waiting_for_answer =
    spec::bit::waiting_plain_response | spec::bit::waiting_username | spec::bit::waiting_password;
inline constexpr std::uint64_t waiting_for_outcome = spec::bit::waiting_recipient | spec::bit::waiting_message |
                                                     spec::bit::waiting_hand_over | spec::bit::waiting_credentials |
                                                     spec::bit::waiting_handshake;

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
  const bool is_line = m.decision.before.has(bit::waiting_command | waiting_for_answer);
  const bool is_data = m.decision.before.has(bit::waiting_mail_data);
  return (m.step.consumed == 0 || is_line || is_data) && (m.step.data.empty() || is_data);
}
// deviations D6, D7: a client that has spent all its mistakes or attempts goes with the next one
inline bool counts_are_bounded(const Moment& m) {
  return m.session.counters().errors <= spec::max_errors + 1 &&
         m.session.counters().auth_attempts <= spec::max_auth_attempts + 1;
}

}  // namespace session_laws

struct SessionLaw {
  const char* name;
  bool (*is_kept)(const Moment&);
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

}  // namespace postern::testing
