// One client from its greeting to its end, without I/O and without clock: the one loop around engine::Session. It turns
// steps into replies, notes, questions and deadlines; each shell loops on what it wants.
// in      feed(): octets, and more of them only after those that were left; answer(): to the question that is open;
//         happen(): what the world says; time_passed(): the deadline() has come; and always the time
// out     Want: what the shell does next; replies, mail data and notes in the Output it lends
// order   while a question is open, a reply waits (deviation D7), TLS begins or there is no room, feed() consumes nothing
// secrets what held credentials is overwritten where it was fed; what is left unread is the shell's to overwrite
// lives   as Session: a Workspace is lent, and at rest nothing is in it
// limits  a question that nobody answers within its `seconds` (spec/events.toml) is answered by time_passed()
// errors  an answer whose ticket is old, an event that may not happen now: nothing changes, stray_reports() counts it.
//         Allocates nothing
// source  spec/policy.toml; RFC 5321 4.5.3.2; RFC 2920 3.2; RFC 3207 4.2; deviations D7, D23, D24
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/output.hpp"
#include "engine/patience.hpp"
#include "engine/question.hpp"
#include "engine/session.hpp"
#include "engine/time.hpp"

namespace postern::engine {

struct Want {
  enum class Kind : std::uint8_t {
    opening,  // happen() with the event that opens the session
    octets,   // feed()
    room,     // send the replies and clear the output; then the same call once more, with what was not consumed
    tls,      // send the replies, begin TLS, then happen() with how that ended
    answer,   // answer()
    pause,    // time_passed(), not before deadline()
    end,      // send the replies and close; every call is stray from now on
  } kind;
  Question question{};       // of answer
  Ticket ticket{};           // of answer
  std::size_t consumed = 0;  // by feed(): octets that the shell drops
};

enum class ShutDown : std::uint8_t {
  when_idle,  // what is in hand comes to its end: mail data, a question
  at_once,    // only a question does
};

class Conversation {
 public:
  // counters   of the conversation that this one continues on an encrypted channel: then happen() with handshake_done or
  //            handshake_failed opens it
  Conversation(const Service& service, Workspace& workspace, Patience patience, std::optional<Counters> counters = {});

  // `scratch` takes decoded mail data where the output has no room for it, and holds at least octets.size() + 2.
  [[nodiscard]] Want feed(std::span<char> octets, std::span<char> scratch, Time now, Output& output);
  [[nodiscard]] Want answer(Ticket ticket, const Answer& answer, Time now, Output& output);
  [[nodiscard]] Want happen(spec::Event event, Time now, Output& output, std::string_view text = {});
  [[nodiscard]] Want time_passed(Time now, Output& output);
  // The server ends; said once or more often, it holds from now on.
  [[nodiscard]] Want shut_down(ShutDown how, Time now, Output& output);
  // Memory has run out: the client gets a reply, except in a handshake, and the conversation ends.
  [[nodiscard]] Want run_out(Time now, Output& output);
  // No reply can be sent any more. The shell drops what it keeps of a message.
  void end();

  [[nodiscard]] Want want() const;
  // When time_passed() is to be called, where nothing else has come before.
  [[nodiscard]] Time deadline() const;
  // Patience restarts: the client has taken all its replies, or we did not read from it for so long.
  void begin_patience(Time now, Interval not_listening = {}) { patience_.begin(now, not_listening); }

  [[nodiscard]] const Session& session() const { return session_; }
  void use(Workspace& workspace) { session_.use(workspace); }  // only where session().is_at_rest()
  // For messages to come: not while mail data is awaited.
  void set_limits(std::uint64_t databytes, std::size_t max_recipients) {
    session_.set_limits(databytes, max_recipients);
  }
  [[nodiscard]] bool has_ended_by_quit() const { return course_ == Course::quit; }
  [[nodiscard]] std::uint32_t stray_reports() const { return session_.stray_reports() + stray_; }  // 0, or a defect
  // Replies that were decided and never received; the shell reports what it could not send.
  [[nodiscard]] std::uint32_t lost_replies() const { return lost_replies_; }
  void lose(std::string_view replies);

 private:
  enum class Course : std::uint8_t { open, ends_when_idle, ends_at_once, quit, over };

  [[nodiscard]] bool has_ended() const { return course_ >= Course::quit; }
  [[nodiscard]] Time time_limit(Question question) const;
  [[nodiscard]] bool listens() const;
  [[nodiscard]] bool is_to_end() const;
  [[nodiscard]] Want proceed(Time now, Output& output);
  void take(const Step& step, Time now, Output& output);
  void lose_delayed_reply();

  Session session_;
  PatienceClock patience_;
  Time pause_end_ = never;  // no other: there is a pause
  Time asked_{};            // when the question was that is open
  Ticket ticket_ = Ticket::none;
  std::uint32_t stray_ = 0, lost_replies_ = 0;
  Course course_ = Course::open;
  spec::Reply delayed_{};  // until the pause ends
};

// A conversation that keeps one workspace for its whole life.
class LoneConversation : private OwnWorkspace, public Conversation {
 public:
  LoneConversation(const Service& service, Patience patience, std::optional<Counters> counters = {})
      : Conversation(service, own_workspace, patience, counters) {}
};

}  // namespace postern::engine
