#include "simulate/connection.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "simulate/allocations.hpp"

namespace postern::simulate {

using engine::Ticket;
using engine::Want;
using Kind = engine::Want::Kind;
using spec::Event;
namespace bit = spec::bit;

Connection::Connection(Stage& stage, Seat seat, Client& client, Storage& storage, const engine::Service& service)
    : stage_(stage),
      seat_(seat),
      client_(client),
      storage_(storage),
      watched_(stage, seat, client, storage, service),
      wire_(stage, seat, client, storage),
      asker_(stage, seat, client, storage),
      unread_(std::span(storage.input).first(0)) {}

Connection::~Connection() {
  if (!is_closed_) close();
}

void Connection::open(Event event) {
  storage_.overseer.note_progress();
  happen(event);
  go_on();
}

void Connection::act(const Entry& entry) {
  if (is_closed_) return;
  switch (entry.what) {
    case Happening::take: wire_.take(watched_); break;
    case Happening::timer: return pass_time();
    case Happening::answer: return answer(Ticket{entry.mark});
    case Happening::handshake: return shake_hands();
    case Happening::reset: return reset();
    case Happening::memory_ends:
      storage_.overseer.break_off();
      watched_.run_out();
      break;
    default: return;
  }
  go_on();
}

// What each Want is answered with, until nothing is left to be done now.
void Connection::go_on() {
  for (;;) {
    wire_.flush(watched_);
    const bool is_all_sent = watched_.replies().empty();
    switch (watched_.want().kind) {
      case Kind::room:
        if (!is_all_sent) return arm();
        repeat();
        break;
      case Kind::octets:
        if (has_news_)
          feed();
        else if (!wire_.is_open())
          happen(Event::eof);
        else
          return arm();
        break;
      case Kind::answer: asker_.ask(watched_); return arm();
      case Kind::tls:
        if (wire_.is_open()) return begin_handshake();
        happen(Event::eof);
        break;
      case Kind::pause: return arm();
      case Kind::opening: return;
      case Kind::end: return is_all_sent ? close() : arm();
    }
  }
}

// There is room now for what there was none.
void Connection::repeat() {
  switch (watched_.again()) {
    case Again::feed: return feed();
    case Again::happen: return watched_.happen_again();
    case Again::answer: has_news_ = !unread_.empty(); return asker_.deliver(watched_);
    case Again::time_passed: return watched_.pass_time();
    case Again::run_out: return watched_.run_out();
    case Again::shut_down:
    case Again::nothing: return storage_.overseer.complain("room is wanted and for nothing");
  }
}

void Connection::feed() {
  has_news_ = false;
  watched_.feed(unread_);
  unread_ = unread_.subspan(watched_.want().consumed);
}

void Connection::happen(Event event) {
  watched_.happen(event, "go away");
  has_news_ = !unread_.empty();
}

// One timer for what the conversation waits for and for what the client does not take.
void Connection::arm() {
  const Want& want = watched_.want();
  const bool is_of_time = want.kind == Kind::answer && want.question != engine::Question::hand_over;
  const bool must_end = want.kind == Kind::octets || want.kind == Kind::tls || want.kind == Kind::pause || is_of_time;
  if (must_end && watched_.deadline() == engine::never) storage_.overseer.complain("a session may go on for ever");
  timer_.deadline = watched_.deadline();
  if (!watched_.replies().empty()) timer_.deadline = std::min(timer_.deadline, wire_.deadline());
  if (timer_.deadline >= timer_.next) return;
  timer_.next = timer_.deadline;
  stage_.add(std::max(timer_.next, stage_.now) - stage_.now, Happening::timer, seat_.slot, seat_.life);
}

void Connection::pass_time() {
  if (stage_.now >= timer_.next) timer_.next = engine::never;
  if (stage_.now < timer_.deadline) return arm();
  timer_.deadline = engine::never;
  if (!watched_.replies().empty() && stage_.now >= wire_.deadline()) {
    wire_.lose_rest(watched_);
    return break_off();
  }
  const Kind before = watched_.want().kind;
  if (stage_.now >= watched_.deadline()) watched_.pass_time();
  if (before == Kind::pause || before == Kind::answer) has_news_ = !unread_.empty();
  go_on();
}

// ---- the client

void Connection::arrive(std::string_view octets) {
  const Kind kind = watched_.want().kind;
  if (is_closed_ || !wire_.is_open() || kind == Kind::tls || kind == Kind::end) return;  // no SMTP, or no reader
  if (unread_.empty()) storage_.overseer.note_progress();
  std::memmove(storage_.input.data(), unread_.data(), unread_.size());
  octets.copy(storage_.input.data() + unread_.size(), octets.size());
  unread_ = std::span(storage_.input).first(unread_.size() + octets.size());
  storage_.overseer.record({.kind = audit::ItemKind::client, .octets = std::string(octets)});
  has_news_ = true;
  if (kind == Kind::octets) go_on();
}

void Connection::hear_end() {
  if (is_closed_ || !wire_.is_open()) return;
  wire_.close_half();
  const Kind kind = watched_.want().kind;
  if (kind == Kind::octets || kind == Kind::tls) go_on();
}

void Connection::reset() {
  wire_.cut();
  unread_ = unread_.first(0);
  has_news_ = false;
  wire_.flush(watched_);
  if (watched_.want().kind == Kind::pause && stage_.random.one_in(2)) happen(Event::eof);
  go_on();
}

// ---- questions

void Connection::leave_line(Leaves how) {
  watched_.message().abandon();
  if (how == Leaves::with_its_client)
    asker_.withdraw();
  else
    asker_.filter();
}

void Connection::answer(Ticket ticket) {
  const Want& want = watched_.want();
  const bool may_be_late = want.kind != Kind::room && want.kind != Kind::end && watched_.has_room();
  if (want.kind != Kind::answer || ticket != want.ticket) {
    if (may_be_late) asker_.report_late(watched_, ticket);
    return;
  }
  if (may_be_late && stage_.random.one_in(stage_.climate.mischief_in)) asker_.misbehave(watched_, unread_);
  asker_.deliver(watched_);
  has_news_ = !unread_.empty();
  const bool can_come_twice = want.kind != Kind::room && want.kind != Kind::end && watched_.has_room();
  if (can_come_twice && stage_.random.one_in(16)) asker_.report_late(watched_, ticket);
  go_on();
}

// ---- TLS

void Connection::begin_handshake() {
  if (watched_.replies().empty() && !std::exchange(has_handshake_ahead_, true))
    stage_.add(stage_.random.one_in(16) ? engine::seconds(2000) : some_delay(stage_.random), Happening::handshake,
               seat_.slot, seat_.life);
  arm();
}

void Connection::shake_hands() {
  if (watched_.want().kind != Kind::tls) return;
  has_handshake_ahead_ = false;
  unread_ = unread_.first(0);
  const bool is_done = !client_.is_blind() && wire_.is_open() && !stage_.random.one_in(10);
  if (is_done && stage_.random.one_in(4)) {
    watched_.become_sibling();
    asker_.begin_again();
  }
  happen(is_done ? Event::handshake_done : Event::handshake_failed);
  if (is_done) {
    const OwnAllocations own;
    client_.begin_tls();
    wire_.expect_octets({});
  }
  go_on();
}

// ---- the end

void Connection::shut_down(engine::ShutDown how) {
  if (is_closed_) return;
  watched_.shut_down(how);
  go_on();
}

// Not in the middle of a message: one that was over the limit, and is not any more, would be accepted with a gap.
void Connection::set_limits() {
  if (is_closed_ || watched_.guards().has(bit::waiting_mail_data)) return;
  watched_.talk().set_limits(stage_.random.one_in(2) ? 0 : stage_.random.between(100, 5000),
                             stage_.random.between(1, 100));
}

void Connection::break_off() {
  if (is_closed_) return;
  watched_.talk().end();
  storage_.overseer.break_off();
  close();
}

void Connection::close() {
  is_closed_ = true;
  std::erase(stage_.waiting, seat_.slot);
  asker_.end(watched_);
  watched_.retire();
  storage_.overseer.end();
  storage_.overseer.record({.kind = audit::ItemKind::closes, .octets = {}});
}

}  // namespace postern::simulate
