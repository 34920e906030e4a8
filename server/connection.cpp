#include "server/connection.hpp"

#include <string.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "server/policies.hpp"

namespace postern::server {

using engine::Step;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t input_events = EPOLLIN | EPOLLRDHUP | EPOLLET;

}  // namespace

Connection::Connection(LoopContext& context, base::Endpoint remote, Door door)
    : context_(context), channel_(base::Descriptor()), remote_(remote), door_(door), number_(++context.sessions_begun) {
  ++context_.open_connections;
}

Connection::~Connection() { --context_.open_connections; }

void Connection::open(base::Descriptor socket) {
  channel_ = loop::Channel(std::move(socket));
  place_ = static_cast<std::uint32_t>(context_.connections.size());
  in_turn([this] {
    context_.connections.push_back(this);
    is_listed_ = true;
    if (context_.loop.watch(channel_.number(), input_events, *this) != 0) return die("no memory to watch it");
    if (door_.has_proxy)
      wait_at_most(seconds(spec::max_proxy_header_seconds));
    else
      admit();
  });
}

void Connection::on_ready(std::uint32_t events) {
  if (events == 0) is_queued_ = false;
  if (phase_ == Phase::over) return try_to_leave();
  in_turn([this, events] {
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) is_readable_ = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) has_hung_up_ = true;
    if ((events & EPOLLOUT) != 0) send_unsent();
    advance();
  });
}

void Connection::advance() {
  switch (phase_) {
    case Phase::proxy: return read_proxy_header();
    case Phase::handshake: return continue_handshake();
    case Phase::greet:
      if (is_readable_ && served_->start.drops_early_talkers) greet_now(Event::connect_early_talker);
      return;
    case Phase::serving: return serve();
    case Phase::draining: return drain();
    case Phase::working: return withdraw_if_gone();
    case Phase::delaying:
    case Phase::closing:
    case Phase::over: return;
  }
}

void Connection::on_time() {
  if (phase_ == Phase::over) return;
  in_turn([this] { take_time(); });
}

void Connection::take_time() {
  switch (phase_) {
    case Phase::proxy: return refuse(Event::connect_malformed_proxy);
    case Phase::handshake: return handshake_timed_out();
    case Phase::greet: return greet_now(Event::connect_ready);
    case Phase::delaying:
      append_output(std::exchange(delayed_, {}));
      phase_ = Phase::serving;
      is_resumed_ = true;
      patience_began_ = context_.loop.now();
      return serve();
    case Phase::serving: return patience_is_over();
    case Phase::closing:
    case Phase::draining: return die("close");
    case Phase::working:
    case Phase::over: return;
  }
}

// One read and what it brought, or what was carried over. A client that sends without end gets the next turn when the
// others have had theirs.
void Connection::serve() {
  // RFC 3207 4.2: behind STARTTLS nothing in clear is read, also while its 220 waits.
  if (phase_ != Phase::serving || starts_tls_ || !unsent_.empty() || !(is_resumed_ || is_readable_)) return;
  const std::span<char> input(context_.input);
  const std::size_t carried = carry_.take_into(input);
  std::size_t octets = carried;
  bool has_ended = false;
  if (!std::exchange(is_resumed_, false)) has_ended = !read_more(octets);
  const std::size_t consumed = process(input.first(octets), carried);
  const std::span<char> rest = input.subspan(consumed, octets - consumed);
  carry_.keep(rest);
  explicit_bzero(rest.data(), rest.size());
  if (has_ended && phase_ == Phase::serving) take(session().report(Event::eof));
  if (phase_ != Phase::serving || is_queued_ || !is_readable_) return;
  is_queued_ = true;
  context_.loop.again(*this);
}

// False at the end of the stream.
bool Connection::read_more(std::size_t& octets) {
  const std::span<char> room = std::span(context_.input).subspan(octets).first(LoopContext::input_octets);
  const loop::Transfer got = channel_.read(room);
  octets += got.octets;
  if (got.octets != 0) heard_ = context_.loop.now();
  // A socket that gave less than was asked has no more: epoll tells of what comes later, and of the end.
  const bool is_last = got.progress == loop::Progress::done && got.octets < room.size();
  if (got.progress != loop::Progress::done || (is_last && !has_hung_up_ && !channel_.has_end_in_hand()))
    is_readable_ = false;
  return got.progress != loop::Progress::closed;
}

// How many octets were consumed: all, unless half a line is left, or something has to be waited for, were it only that
// the client reads what it was answered. The first `carried` are known from before.
std::size_t Connection::process(std::span<char> unread, std::size_t carried) {
  std::size_t consumed = 0;
  bool is_same_line = std::exchange(is_in_line_, false);
  const bool was_in_line = is_same_line;
  while (phase_ == Phase::serving && unsent_.empty() && !is_to_end()) {
    const std::string_view rest(unread.data() + consumed, unread.size() - consumed);
    const Step step = session().step(rest, context_.decoded);
    if (step.holds_secret) explicit_bzero(unread.data() + consumed, step.consumed);
    consumed += step.consumed;
    is_in_line_ = !step.is_decision && (!rest.empty() || is_in_line_);
    is_same_line = is_same_line && !step.is_decision;
    if (!step.data.empty()) store(step);
    note_progress(step);
    context_.ahead = rest.substr(step.consumed);
    if (step.is_decision)
      take(step);
    else if (step.consumed == 0 || consumed == unread.size())
      break;
  }
  context_.ahead = {};
  // A line that begins is progress, and going on with it is none: so silence is told from slowness.
  if (is_in_line_ && !was_in_line) patience_began_ = context_.loop.now();
  drips_ = is_in_line_ && is_same_line && (drips_ || unread.size() > carried);
  return consumed;
}

void Connection::take(Step step) {
  while (step.is_decision) {
    say(step);
    if (phase_ == Phase::over) return;  // nobody could be told
    if (step.effect == Effect::none || step.effect == Effect::delay) return;
    step = perform(step);
  }
}

void Connection::say(const Step& step) {
  context_.metrics.rule_hit(step.rule);
  if (step.code != 0) context_.metrics.replied(step.code);
  // Who sends no PROXY header is told nothing; the operator is.
  if (step.code >= 400 || step.event == Event::connect_malformed_proxy) journal_of_decisions().refusal(step, session());
  if (step.refused_user != 0)
    note_gates(context_.guesses.refused(remote_.address, step.refused_user, context_.loop.now()));
  if (step.effect != Effect::delay) return append_output(step.reply);
  delayed_ = step.reply;  // deviation D7: the client that guesses waits, nobody else does
  phase_ = Phase::delaying;
  wait_at_most(seconds(spec::auth_failure_delay_seconds));
}

void Connection::append_output(std::string_view octets) {
  if (context_.unsent_octets + octets.size() > context_.output.size()) flush();
  context_.unsent_octets += octets.copy(context_.output.data() + context_.unsent_octets, octets.size());
}

// What the socket does not take is kept, and until it is gone nothing more is read.
void Connection::flush() {
  std::string_view octets(context_.output.data(), std::exchange(context_.unsent_octets, 0));
  if (octets.empty() || phase_ == Phase::over) return;
  if (!unsent_.empty()) {
    unsent_ += octets;
    return;
  }
  const loop::Progress progress = write_some(octets);
  if (progress == loop::Progress::closed) {
    count_lost(octets);
    return lose_client();
  }
  if (octets.empty()) return;
  unsent_ = octets;
  watch_output(true);
}

// Takes off the front what was sent.
loop::Progress Connection::write_some(std::string_view& octets) {
  while (!octets.empty()) {
    const loop::Transfer sent = channel_.write(octets);
    if (sent.progress != loop::Progress::done) return sent.progress;
    octets.remove_prefix(sent.octets);
  }
  return loop::Progress::done;
}

void Connection::send_unsent() {
  std::string_view rest = unsent_;
  const loop::Progress progress = write_some(rest);
  unsent_.erase(0, unsent_.size() - rest.size());
  if (progress == loop::Progress::closed) return lose_client();
  if (!unsent_.empty()) return;
  unsent_.shrink_to_fit();
  watch_output(false);
  patience_began_ = context_.loop.now();
  is_resumed_ = carry_.size() != 0;
}

void Connection::watch_output(bool on) {
  if (watches_output_ == on) return;
  watches_output_ = on;
  context_.loop.change(channel_.number(), on ? input_events | EPOLLOUT : input_events, *this);
}

// Nobody reads what would be said. A message that is being made durable may still come to its end; a transaction does not.
void Connection::lose_client() {
  count_lost(std::exchange(unsent_, {}));
  if (phase_ != Phase::working) return die("close");
  has_hung_up_ = true;
  withdraw_if_gone();
}

// The log has shown them already; its last line says that nobody heard them.
void Connection::count_lost(std::string_view replies) {
  lost_replies_ += static_cast<std::uint32_t>(observe::replies_in(replies));
}

void Connection::end_turn() {
  if (phase_ == Phase::serving && is_to_end()) say_shutting_down();
  const bool has_replied = context_.unsent_octets != 0;
  flush();
  note_reply_time(has_replied);
  if (phase_ == Phase::serving && starts_tls_ && unsent_.empty()) {
    begin_handshake();
    flush();
  }
  if (phase_ == Phase::closing && unsent_.empty()) close_gracefully();
  settle_workspace();
  if (phase_ == Phase::serving) arm_patience();
  if (phase_ == Phase::over) try_to_leave();
}

// What a job or a delay still has in hand was heard when it was heard; a greeting or a timeout answers nothing.
void Connection::note_reply_time(bool has_replied) {
  if (has_replied && heard_ != base::Time{})
    context_.metrics.took(observe::Duration::reply, std::chrono::steady_clock::now() - heard_);
  if (phase_ != Phase::working && phase_ != Phase::delaying) heard_ = {};
}

// Octets of mail data are progress; of a command, only its end: a line that grows octet by octet is not answered for ever.
void Connection::note_progress(const Step& step) {
  const bool is_mail_data = session().guards().has(bit::waiting_mail_data);
  if (step.is_decision || (is_mail_data && step.consumed > 0)) patience_began_ = context_.loop.now();
  if (is_mail_data) window_octets_ += step.consumed;
}

void Connection::arm_patience() {
  base::Time end = patience_began_ + seconds(served_->start.timeout_seconds);
  if (session().guards().has(bit::waiting_mail_data)) end = std::min(end, window_end());
  wait_at_most(end - context_.loop.now());
}

base::Time Connection::window_end() const {
  return window_began_ + seconds(context_.policies->settings().data_rate_seconds);
}

void Connection::patience_is_over() {
  const base::Time now = context_.loop.now();
  const bool is_mail_data = session().guards().has(bit::waiting_mail_data);
  if (now >= patience_began_ + seconds(served_->start.timeout_seconds))
    return take(session().report(drips_ && !is_mail_data ? Event::too_slow : Event::timeout));
  if (!is_mail_data || now < window_end()) return;
  const config::Configuration& settings = context_.policies->settings();
  const std::uint64_t wanted = std::uint64_t{settings.min_data_octets_per_second} * settings.data_rate_seconds;
  if (window_octets_ < wanted) return take(session().report(Event::too_slow));
  begin_window();
}

void Connection::begin_window() {
  window_began_ = context_.loop.now();
  window_octets_ = 0;
}

void Connection::settle_workspace() {
  if (!session_) return;
  const bool is_at_rest = phase_ == Phase::over || session().is_at_rest();
  if (is_at_rest && workspace_ != nullptr) context_.take_back(std::move(workspace_));  // which allocates nothing
  if (!is_at_rest && workspace_ == nullptr) workspace_ = context_.give_workspace();
}

}  // namespace postern::server
