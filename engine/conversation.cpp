#include "engine/conversation.hpp"

#include <string.h>

#include <algorithm>
#include <utility>

namespace postern::engine {

using spec::Effect;
using spec::Event;
namespace bit = spec::bit;
using Kind = Want::Kind;

namespace {

constexpr std::uint64_t waiting_for_octets = bit::waiting_command | bit::waiting_mail_data |
                                             bit::waiting_plain_response | bit::waiting_username |
                                             bit::waiting_password;

}  // namespace

Conversation::Conversation(const Service& service, Workspace& workspace, Patience patience,
                           std::optional<Counters> counters)
    : session_(service, workspace), patience_(patience) {
  if (counters) session_.resume_after_starttls(*counters);
}

Want Conversation::want() const {
  if (has_ended()) return {.kind = Kind::end};
  if (pause_end_ != never) return {.kind = Kind::pause};
  const spec::Guards guards = session_.guards();
  if (guards.has(waiting_for_octets)) return {.kind = Kind::octets};
  if (const auto question = question_of(guards))
    return {.kind = Kind::answer, .question = *question, .ticket = ticket_};
  if (guards.has(bit::waiting_handshake)) return {.kind = Kind::tls};
  return {.kind = guards.has(bit::waiting_connect) ? Kind::opening : Kind::end};
}

Time Conversation::deadline() const {
  if (pause_end_ != never) return pause_end_;
  const spec::Guards guards = session_.guards();
  if (has_ended()) return never;
  if (const auto question = question_of(guards)) return time_limit(*question);
  const bool is_patient = guards.has(waiting_for_octets | bit::waiting_handshake);
  return is_patient ? patience_.deadline(guards.has(bit::waiting_mail_data)) : never;
}

Time Conversation::time_limit(Question question) const {
  const unsigned limit = spec::question_row(question).seconds;
  return limit == 0 ? never : asked_ + seconds(limit);
}

bool Conversation::listens() const {
  return !has_ended() && pause_end_ == never && !is_to_end() && session_.guards().has(waiting_for_octets);
}

// No reply can be sent during a handshake, and before the greeting the shell says what opens the session.
bool Conversation::is_to_end() const {
  if (course_ == Course::open) return false;
  const bool is_idle = !session_.guards().has(bit::waiting_mail_data);
  const bool is_due = course_ == Course::ends_at_once || (course_ == Course::ends_when_idle && is_idle);
  return is_due && session_.guards().has(waiting_for_octets);
}

// As many lines, and as much mail data, as there are: until something else is wanted than octets.
Want Conversation::feed(std::span<char> octets, std::span<char> scratch, Time now, Output& output) {
  Reading reading{.octets = octets.size()};
  std::size_t consumed = 0;
  while (consumed < octets.size() && listens() && output.has_room()) {
    const std::span<char> rest = octets.subspan(consumed);
    const bool decodes = session_.guards().has(bit::waiting_mail_data);
    const std::span<char> room = decodes ? output.room_for_mail_data(rest.size() + 2, scratch) : scratch;
    const Step step = session_.step({rest.data(), rest.size()}, room);
    if (step.holds_secret) ::explicit_bzero(rest.data(), step.consumed);
    consumed += step.consumed;
    reading.ends_in_line = !step.is_decision;
    if (!step.data.empty()) output.keep(step.data);
    if (step.is_decision) {
      reading.has_decided = true;
      take(step, now, output);
    } else {
      reading.is_mail_data = session_.guards().has(bit::waiting_mail_data);
      if (reading.is_mail_data) patience_.count_mail_data(step.consumed);
      if (step.consumed == 0) break;
    }
  }
  reading.unread = octets.size() - consumed;
  if (reading.has_decided || reading.ends_in_line) patience_.note(reading, now);
  Want next = listens() && !output.has_room() ? Want{.kind = Kind::room} : proceed(now, output);
  next.consumed = consumed;
  return next;
}

// Where an end is due already, an earlier call has decided it, and there was no room left for its reply.
Want Conversation::answer(Ticket ticket, const Answer& answer, Time now, Output& output) {
  if (!output.has_room()) return {.kind = Kind::room};
  if (is_to_end()) return proceed(now, output);
  const bool is_open = !has_ended() && session_.guards().has(bit::waiting_for_answer) && ticket == ticket_;
  if (!is_open) ++stray_;
  if (!is_open) return want();
  const Step step = session_.report(answer.event, answer.text, answer.words);
  if (!step.is_decision) return want();  // the event answers another question
  patience_.begin(now);
  take(step, now, output);
  return proceed(now, output);
}

Want Conversation::happen(Event event, Time now, Output& output, std::string_view text) {
  if (!output.has_room()) return {.kind = Kind::room};
  if (is_to_end()) event = Event::shutting_down;
  const bool is_possible = !has_ended() && !session_.guards().has(bit::waiting_for_answer);
  if (!is_possible) ++stray_;
  if (!is_possible) return want();
  const Step step = session_.report(event, text);
  if (!step.is_decision) return want();
  lose_delayed_reply();
  patience_.begin(now);
  take(step, now, output);
  return proceed(now, output);
}

Want Conversation::time_passed(Time now, Output& output) {
  if (!output.has_room()) return {.kind = Kind::room};
  if (pause_end_ == never && is_to_end()) return proceed(now, output);
  if (has_ended()) return want();
  if (pause_end_ != never) {
    if (now < pause_end_) return want();
    pause_end_ = never;
    output.append(session_.write(delayed_));
    patience_.begin(now);
    return proceed(now, output);
  }
  if (const auto question = question_of(session_.guards()))
    return now < time_limit(*question) ? want() : answer(ticket_, nobody_answers(*question), now, output);
  if (!session_.guards().has(waiting_for_octets | bit::waiting_handshake)) return want();
  const auto event = patience_.end(session_.guards().has(bit::waiting_mail_data), now);
  return event ? happen(*event, now, output) : want();
}

Want Conversation::shut_down(ShutDown how, Time now, Output& output) {
  if (has_ended()) return want();
  course_ = how == ShutDown::at_once ? Course::ends_at_once : Course::ends_when_idle;
  return proceed(now, output);
}

Want Conversation::run_out(Time now, Output& output) {
  if (has_ended()) return want();
  if (session_.guards().has(spec::waiting_for(Event::exhausted))) return happen(Event::exhausted, now, output);
  if (!output.has_room()) return {.kind = Kind::room};
  if (!session_.guards().has(bit::waiting_handshake)) output.append(session_.write(spec::Reply::exhausted));
  output.drop();
  end();
  return want();
}

void Conversation::end() {
  lose_delayed_reply();
  if (!has_ended()) course_ = Course::over;
}

void Conversation::lose(std::string_view replies) { lost_replies_ += replies_in(replies); }

void Conversation::lose_delayed_reply() {
  if (pause_end_ != never) ++lost_replies_;
  pause_end_ = never;
}

// What follows from an end of the server once nothing is in hand.
Want Conversation::proceed(Time now, Output& output) {
  if (has_ended() || !is_to_end()) return want();
  return happen(Event::shutting_down, now, output);
}

void Conversation::take(const Step& step, Time now, Output& output) {
  const bool is_answer = step.before.has(bit::waiting_for_answer);
  output.note({.step = step, .session = session_, .waited = is_answer ? now - asked_ : Interval{}});
  switch (step.effect) {
    case Effect::delay:  // deviation D7: only the client that guesses waits
      delayed_ = step.words;
      pause_end_ = now + seconds(spec::auth_failure_delay_seconds);
      return;
    case Effect::begin_message: patience_.begin_message(now); break;
    case Effect::abandon_message: output.drop(); break;
    case Effect::close:
      course_ = step.rule == spec::Rule::quit ? Course::quit : Course::over;
      output.drop();
      break;
    default: break;
  }
  if (session_.guards().has(bit::waiting_for_answer)) {  // only the effect of a question leads there (spec/events.toml)
    ticket_ = Ticket{std::to_underlying(ticket_) + 1};
    asked_ = now;
  }
  output.append(step.reply);
}

}  // namespace postern::engine
