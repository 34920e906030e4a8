// How a session ends: by its client, by the server, for lack of memory; and when its object may go.
#include <sys/socket.h>

#include <utility>

#include "server/connection.hpp"
#include "server/policies.hpp"

namespace postern::server {

using engine::Step;
using spec::Event;
namespace bit = spec::bit;
using std::chrono::seconds;

namespace {

constexpr seconds longest_draining{2};  // for the client to hear it
constexpr std::size_t most_drained = std::size_t{1} << 20U;

}  // namespace

// A reset would overtake the last reply when octets of the client are unread; so they are read, for a while.
void Connection::close_gracefully() {
  if (ended_by_quit_ && carry_.size() == 0) {
    if (channel_.has_tls()) channel_.end_output();
    return die("quit");
  }
  channel_.end_output();
  phase_ = Phase::draining;
  wait_at_most(longest_draining);
  drain();
}

void Connection::drain() {
  for (std::size_t drained = 0; drained < most_drained;) {
    const loop::Transfer got = channel_.read(context_.input);
    if (got.progress == loop::Progress::again) return;
    if (got.progress == loop::Progress::closed) break;
    drained += got.octets;
  }
  die(ended_by_quit_ ? "quit" : "close");
}

void Connection::die(std::string_view how) {
  if (phase_ == Phase::over) return;
  count_lost({context_.output.data(), std::exchange(context_.unsent_octets, 0)});
  for (std::string* const replies : {&unsent_, &delayed_}) count_lost(std::exchange(*replies, {}));
  phase_ = Phase::over;
  disarm();
  if (session_) {
    context_.journal_of(remote_, number_).end(how, session(), lost_replies_);
    context_.metrics.strayed(session().stray_reports());
  }
  if (is_admitted_) {
    context_.clients.leave(remote_.address);
    context_.metrics.session_closed();
  }
  abandon_message();
  // Closing is not enough: a child that is just being started shares the socket until it runs its program, and so long
  // epoll would go on naming this object.
  context_.loop.forget(channel_.number());
  channel_.close();
}

// Whoever still holds a pointer to it calls once more.
void Connection::try_to_leave() {
  if (is_queued_ || jobs_ != 0) return;
  if (std::exchange(is_listed_, false)) leave_list();
  context_.loop.dispose(std::unique_ptr<loop::Watcher>(this));
}

void Connection::leave_list() {
  Connection* const last = context_.connections.back();
  context_.connections[place_] = last;
  last->place_ = place_;
  context_.connections.pop_back();
}

void Connection::shut_down() {
  if (phase_ == Phase::over || phase_ == Phase::closing || phase_ == Phase::draining) return;
  if (phase_ == Phase::working || (has_work_in_hand() && !context_.must_end)) return;
  // Soon the client can be told, and in TLS 1.3 it may think so already: its Finished is on its way.
  if ((phase_ == Phase::proxy || phase_ == Phase::handshake) && !context_.must_end)
    return wait_at_most(seconds(spec::max_shutdown_handshake_seconds));
  in_turn([this] { say_shutting_down(); });
}

// Who has not been greeted inside TLS cannot be told anything.
void Connection::say_shutting_down() {
  if (!session_ || (phase_ == Phase::handshake && !is_greeted_)) return die("shutdown");
  count_lost(std::exchange(delayed_, {}));
  phase_ = Phase::serving;
  take(session().report(Event::shutting_down));
}

bool Connection::is_to_end() const { return context_.is_shutting_down && (context_.must_end || !has_work_in_hand()); }

bool Connection::has_work_in_hand() const {
  return phase_ == Phase::working || (session_ && session().guards().has(bit::waiting_mail_data));
}

// What was said stands, and goes out as far as the socket takes it; then the client is told, and the session ends. Nothing
// here allocates.
void Connection::run_out_of_memory() {
  std::string_view said(context_.output.data(), std::exchange(context_.unsent_octets, 0));
  if (phase_ == Phase::over) return try_to_leave();
  const bool is_told = unsent_.empty() && write_some(said) == loop::Progress::done;
  count_lost(said);
  if (jobs_ != 0 && phase_ == Phase::working) {  // its outcome is still to come, and nobody will hear it
    if (!is_told) static_cast<void>(::shutdown(channel_.number(), SHUT_RDWR));
    return;
  }
  if (is_told) say_exhausted();
  abandon_message();
  is_told ? close_gracefully() : die("memory");
  if (phase_ == Phase::over) try_to_leave();
}

// Where the session has no word for it, the client has one all the same: but in the middle of a handshake.
void Connection::say_exhausted() {
  if (phase_ == Phase::handshake || (starts_tls_ && phase_ == Phase::serving)) return;
  engine::Workspace& workspace = workspace_ == nullptr ? *context_.workspace : *workspace_;
  const bool can_report = session_ && session().guards().has(spec::waiting_for(Event::exhausted));
  std::string_view reply = workspace.replies.write(spec::Reply::exhausted, {}, {});
  if (can_report) {
    session().use(workspace);
    const Step step = session().report(Event::exhausted);
    journal_of_decisions().refusal(step, session());
    reply = step.reply;
  } else {
    context_.journal_of(remote_, number_).trouble("no memory for this client");
  }
  context_.metrics.rule_hit(spec::Rule::exhausted);
  context_.metrics.replied(421);
  if (write_some(reply) != loop::Progress::done) ++lost_replies_;
}

}  // namespace postern::server
