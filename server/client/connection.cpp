#include "server/client/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "server/client/class_job.hpp"
#include "server/client/handshake.hpp"

namespace postern::server {

using Kind = engine::Want::Kind;
using spec::Event;

static_assert(sizeof(Connection) <= 816, "what a client at rest takes has grown: see the head of the header");

Connection::Connection(LoopContext& context, base::Endpoint remote, ListenerRef listener)
    : client_(context, remote, listener, ++context.sessions_begun), talk_(context) {
  ++context.open_connections;
}

void Connection::open(base::Descriptor socket) {
  in_turn([&] {
    if (talk_.stream.open(std::move(socket), context().loop, *this) != 0) return die("no memory to watch it");
    obey(opening_.begin(client_, talk_.stream));
  });
}

void Connection::on_ready(std::uint32_t events) {
  if (events == 0) is_queued_ = false;
  if (phase_ == Phase::over) return leave_if_unused();
  in_turn([this, events] {
    talk_.stream.note(events);
    if ((events & EPOLLOUT) != 0) talk_.send_kept();
    advance();
  });
}

void Connection::on_time() {
  if (phase_ == Phase::over) return;
  in_turn([this] { take_time(); });
}

void Connection::advance() {
  switch (phase_) {
    case Phase::opening: return obey(opening_.advance(client_, talk_.stream));
    case Phase::talking:
      if (work_.waits_for_dns_lists()) return work_.hear_dns_lists();
      return waits_for_job() ? work_.message.withdraw_if_gone() : go_on();
    case Phase::closing:  // end_turn() sees to it
    case Phase::over: return;
  }
}

void Connection::take_time() {
  switch (phase_) {
    case Phase::opening: return obey(opening_.time_passed(client_, talk_.stream));
    case Phase::closing: return die("close");
    case Phase::over: return;
    case Phase::talking: break;
  }
  if (work_.message.has_left_line()) {
    end_with_server();
    talk_.resume();
    return go_on();
  }
  if (work_.message.holds_up_client()) return;
  if (talk_.wants() == Kind::answer && !work_.gives_up_question()) return;
  if (is_in_handshake()) {
    give_up_handshake(client_);
    return talk_.happen(context().is_shutting_down ? Event::shutting_down : Event::timeout);
  }
  talk_.time_passed();
  go_on();
}

// A job has the session: of a question, or of a large message that comes faster than it is written.
bool Connection::waits_for_job() const {
  return phase_ == Phase::talking && (work_.message.holds_up_client() || talk_.wants() == Kind::answer);
}

// There is such a job: memory may end between the question and its job, while one that gives up a message is still out.
bool Connection::has_job_in_hand() const {
  return waits_for_job() && (work_.message.holds_up_client() || talk_.conversation().want().ticket == awaited_);
}

// After STARTTLS.
bool Connection::is_in_handshake() {
  return phase_ == Phase::talking && talk_.wants() == Kind::tls && talk_.stream.channel().has_tls();
}

void Connection::obey(const OpeningWant& want) {
  if (want.limit) context().loop.arm(*this, *want.limit);
  if (want.kind == OpeningWant::Kind::wait) return;
  if (want.kind == OpeningWant::Kind::judge) return ClassJob::begin(*this, want.text);
  if (want.kind == OpeningWant::Kind::ask_dns) {
    client_.dns_lists = DnsLists::begin(*this);
    client_.confirmed_name = ClientName::begin(*this);
    return obey(opening_.enter(client_, talk_.stream));
  }
  if (want.kind == OpeningWant::Kind::close) return die(want.text);
  talk_.begin(client_);
  phase_ = Phase::talking;
  talk_.happen(want.first, want.text);
  // Where the table says nothing, since TLS would come first, the client is closed.
  const bool is_silent = talk_.wants() == Kind::end && context().turn.replies().empty();
  if (is_silent && want.first != Event::connect_malformed_proxy) return die("close");
  go_on();
}

void Connection::go_on() {
  if (is_in_handshake()) return shake_hands();
  talk_.serve(work_);
  const bool has_more = !talk_.is_lost() && talk_.wants() == Kind::octets && talk_.stream.is_readable();
  if (!has_more || work_.message.holds_up_client() || talk_.stream.has_unsent() || is_queued_) return;
  is_queued_ = true;
  context().loop.again(*this);
}

void Connection::shake_hands() {
  const bool begins = !talk_.stream.channel().has_tls();
  const auto event = begins ? begin_handshake(client_, talk_.stream) : continue_handshake(client_, talk_.stream);
  if (begins) context().loop.arm(*this, longest_handshake(client_));
  if (!event) return;
  talk_.happen(*event);
  go_on();
}

// What a job writes is in hand, and in a handshake no reply can be sent.
void Connection::end_with_server() {
  if (!context().is_shutting_down || phase_ != Phase::talking || is_in_handshake()) return;
  const bool is_at_once = context().must_end && !work_.message.holds_up_client();
  talk_.shut_down(is_at_once ? engine::ShutDown::at_once : engine::ShutDown::when_idle);
  work_.end_question();
}

void Connection::end_turn() {
  if (phase_ == Phase::talking) {
    end_with_server();
    talk_.end_turn(work_);
    const bool begins_tls = talk_.wants() == Kind::tls && !talk_.stream.has_unsent() && !is_in_handshake();
    if (begins_tls && !talk_.is_lost()) {
      shake_hands();
      talk_.flush();
    }
    if (talk_.is_lost()) lose_client();
  }
  if (phase_ == Phase::talking && talk_.wants() == Kind::end) {
    phase_ = Phase::closing;
    context().loop.arm(*this, Closing::longest_last_reply);
  }
  if (phase_ == Phase::closing && talk_.is_lost()) die("close");
  if (phase_ == Phase::closing && !talk_.stream.has_unsent()) close_gracefully();
  talk_.settle_workspace();
  if (phase_ == Phase::over) return leave_if_unused();
  talk_.stream.watch(context().loop, *this);
  if (phase_ == Phase::talking) arm();
}

// No reply would be read. A message that is being made durable may still come to its end; a transaction does not.
void Connection::lose_client() {
  if (!waits_for_job()) return die("close");
  talk_.stream.set_hung_up();
  work_.message.withdraw_if_gone();
}

void Connection::close_gracefully() {
  const bool is_quit = talk_.has_ended_by_quit();
  if (is_quit && talk_.unread_tail.size() == 0 && !closing_.is_draining()) {
    talk_.stream.channel().end_output();
    return die("quit");
  }
  if (!closing_.is_draining()) {
    closing_.drain_from_now_on(talk_.stream);
    context().loop.arm(*this, Closing::longest_draining);
  }
  if (Closing::drain(talk_.stream, context().input)) die(is_quit ? "quit" : "close");
}

// A handshake has a limit of its own.
void Connection::arm() {
  if (is_in_handshake()) return;
  const engine::Time end_of_line = work_.message.end_of_line();
  const bool is_held_up = work_.message.holds_up_client();  // then its own time does not run
  const engine::Time deadline = is_held_up ? end_of_line : std::min(talk_.conversation().deadline(), end_of_line);
  if (deadline == engine::never) return disarm();
  context().loop.arm(*this, loop_interval(deadline - engine_time(context().loop.now())));
}

void Connection::die(std::string_view how) {
  if (phase_ == Phase::over) return;
  phase_ = Phase::over;
  disarm();
  observe::SessionEnd end{};
  if (talk_.has_begun()) {
    talk_.end();
    end = observe::end_of(talk_.conversation());
    context().metrics.strayed(end.stray_reports);
  }
  context().turn.clear();
  if (client_.served != nullptr) client_.journal().end(how, end);
  if (client_.is_admitted) context().metrics.session_closed();
  if (context().shadow.is_on()) context().shadow.end(client_.number);
  work_.message.drop();
  work_.withdraw();
  client_.dns_lists.reset();
  client_.confirmed_name.reset();
  talk_.stream.close(context().loop);
}

// A job or Loop::again that still holds a pointer to it calls once more. Until then it counts against the limits of its
// address: threads and memory are still at work for it.
void Connection::leave_if_unused() {
  if (is_queued_ || jobs_ != 0 || place_ == nowhere) return;
  if (client_.is_admitted) context().clients.leave(client_.remote.address);
  context().remove(std::exchange(place_, nowhere));
}

void Connection::shut_down() {
  if (phase_ != Phase::opening && phase_ != Phase::talking) return;
  in_turn([this] {
    if (phase_ == Phase::opening) return obey(opening_.shut_down(client_));
    if (waits_for_job() || talk_.wants() != Kind::tls) return;  // end_turn() reports it to the conversation
    if (!is_in_handshake() || context().must_end) return talk_.happen(Event::shutting_down);
    context().loop.arm(*this, std::chrono::seconds(spec::max_shutdown_handshake_seconds));
  });
}

// What was said stands, and goes out as far as the socket takes it; then the client gets 421, and the session ends. Nothing
// here allocates.
void Connection::run_out_of_memory() {
  context().ahead = {};  // which the turn had not come to
  if (phase_ == Phase::over) return leave_if_unused();
  std::string_view said = context().turn.replies();
  const bool is_told = !talk_.stream.has_unsent() && talk_.stream.send_now(said);
  if (talk_.has_begun()) talk_.conversation().lose(said);
  context().turn.clear();
  if (has_job_in_hand()) {  // its outcome is still to come, and no client will receive it
    if (!is_told) static_cast<void>(::shutdown(talk_.stream.socket(), SHUT_RDWR));
    return;
  }
  if (is_told) say_exhausted();
  work_.message.drop();
  phase_ = Phase::closing;
  is_told ? close_gracefully() : die("memory");
  if (phase_ == Phase::over) leave_if_unused();
}

// Where the session has no reply for it, the client still gets one, except during a handshake.
void Connection::say_exhausted() {
  if (!talk_.has_begun()) return opening_.run_out(client_, talk_.stream);
  if (talk_.wants() == Kind::tls) return;
  if (!talk_.conversation().session().guards().has(spec::waiting_for(Event::exhausted))) {
    client_.journal().trouble("no memory for this client");
    context().metrics.rule_hit(spec::Rule::exhausted);
    context().metrics.replied(421);
  }
  talk_.run_out();
  std::string_view reply = context().turn.replies();
  if (!talk_.stream.send_now(reply)) talk_.conversation().lose(reply);
  context().turn.clear();
}

}  // namespace postern::server
