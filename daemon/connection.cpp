#include "daemon/connection.hpp"

#include <unistd.h>

#include <cstring>
#include <ctime>
#include <new>
#include <utility>

#include "ask/auth_environment.hpp"
#include "config/tcpserver_env.hpp"

namespace postern::daemon {

using engine::Step;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

void Connection::run(Event first) {
  session_.set_room(*this);
  try {
    take(session_.report(first));
    while (is_open_) {
      serve_unread();
      if (is_open_) wait_for_client();
    }
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  flush();
}

// Nothing here allocates.
void Connection::run_out_of_memory() {
  has_run_out_ = true;
  is_open_ = false;
  abandon_message();
  if (session_.guards().has(spec::waiting_for(Event::exhausted))) return say(session_.report(Event::exhausted));
  parts_.journal.trouble("no memory for this client");  // while the outcome of some work was waited for
  engine::ReplyWriter words;
  queue(words.write(spec::Reply::exhausted, {}, {}));
}

void Connection::serve_unread() {
  while (is_open_) {
    const std::string_view unread(input_.data() + unread_begin_, unread_end_ - unread_begin_);
    const Step step = session_.step(unread, decoded_);
    if (!step.data.empty()) store(step.data);
    drop_consumed(step);
    if (step.is_decision) {
      take(step);
    } else if (step.consumed == 0 || unread_begin_ == unread_end_) {
      return;
    }
  }
}

// A message that does not fit into memory is forgotten, and deferred at its end.
void Connection::store(std::string_view data) try {
  if (is_receiving_) parts_.hand_over.write(data);
} catch (const std::bad_alloc&) {
  abandon_message();
}

void Connection::drop_consumed(const Step& step) {
  if (step.holds_secret) explicit_bzero(input_.data() + unread_begin_, step.consumed);
  unread_begin_ += step.consumed;
}

void Connection::wait_for_client() {
  flush();
  if (!is_open_) return;
  const std::size_t unread = unread_end_ - unread_begin_;
  std::memmove(input_.data(), input_.data() + unread_begin_, unread);
  // Half a line may be half a password: where it stood nothing may stay of it.
  if (unread > 0) explicit_bzero(input_.data() + unread, unread_begin_);
  unread_end_ = unread;
  unread_begin_ = 0;
  const ReadResult result = parts_.transport.read(std::span(input_).subspan(unread_end_));
  switch (result.io) {
    case Io::done: unread_end_ += result.octets; break;
    case Io::closed: take(session_.report(Event::eof)); break;
    case Io::timed_out: take(session_.report(Event::timeout)); break;
  }
}

void Connection::take(Step step) {
  while (step.is_decision) {
    say(step);
    if (!is_open_ || step.effect == Effect::none) return;
    step = perform(step);
  }
}

void Connection::say(const Step& step) {
  if (step.effect == Effect::delay) {  // deviation D7: the client that guesses waits, nobody else does
    flush();
    sleep(spec::auth_failure_delay_seconds);
  }
  if (step.code >= 400) parts_.journal.refusal(step, session_);
  queue(step.reply);
}

void Connection::queue(std::string_view reply) {
  if (unsent_octets_ + reply.size() > output_.size()) flush();
  unsent_octets_ += reply.copy(output_.data() + unsent_octets_, reply.size());
}

void Connection::flush() {
  const std::string_view unsent(output_.data(), std::exchange(unsent_octets_, 0));
  if (unsent.empty()) return;
  const Io io = lost_replies_ == 0 ? parts_.transport.write(unsent) : Io::closed;
  if (io == Io::done) return;
  lost_replies_ += observe::replies_in(unsent);
  if (!is_open_) return;
  is_open_ = false;  // nobody reads what would be said
  abandon_message();
}

Step Connection::perform(const Step& step) {
  switch (step.effect) {
    case Effect::check_recipient: return check_recipient();
    case Effect::check_credentials: return check_credentials();
    case Effect::hand_over: return hand_over();
    case Effect::abandon_message: abandon_message(); break;
    case Effect::close:
      ended_by_quit_ = step.rule == spec::Rule::quit;
      is_open_ = false;
      abandon_message();
      break;
    case Effect::start_tls:
      flush();
      start_tls();
      return session_.report(Event::handshake_failed);
    case Effect::none:
    case Effect::begin_message:  // reserve() has begun it
    case Effect::begin_transaction:
    case Effect::add_recipient:
    case Effect::delay: break;
  }
  return {};
}

// In a handshake nobody can be told anything.
void Connection::start_tls() try { parts_.tls.start_tls(session_.counters()); } catch (const std::bad_alloc&) {
  has_run_out_ = true;
  parts_.journal.trouble("no memory to begin TLS");
}

Step Connection::check_recipient() try {
  const bool is_authenticated = session_.guards().has(bit::authentication_done);
  const auto judgement = parts_.recipients.judge(
      session_.envelope().reverse_path(), session_.mailbox(),
      {.local_ip = config::read_peer(parts_.environment).local_ip,
       .relay_value = is_authenticated ? std::string_view() : parts_.environment.value_of("RELAYCLIENT"),
       .may_ask_to_relay = config::may_ask_to_relay(parts_.start, session_.guards())});
  if (!judgement.problem.empty()) parts_.journal.trouble(judgement.problem);
  return session_.report(judgement.event, judgement.address);
} catch (const std::bad_alloc&) {
  parts_.journal.trouble("no memory to look up a recipient");
  return session_.report(Event::recipient_unknowable);
}

ask::CheckResult Connection::ask_backend() try {
  return parts_.backend->check({session_.username(), session_.password()},
                               static_cast<std::uint64_t>(std::time(nullptr)));
} catch (const std::bad_alloc&) {
  return {ask::Verdict::broken, "no memory"};  // which is so short that it needs none
}

// What an authenticated client may do must not be half known: memory that ends there ends the session.
Step Connection::check_credentials() {
  const ask::CheckResult result = ask_backend();
  if (result.verdict == ask::Verdict::accepted) {
    ask::enter_auth_environment(parts_.environment, session_.username(), parts_.backend->environment_pairs());
    const config::SizeAndRecipients limits = config::read_limits(parts_.start, parts_.environment);
    session_.set_limits(limits.databytes, limits.max_recipients);
  }
  parts_.journal.credentials(result, session_.username());
  switch (result.verdict) {
    case ask::Verdict::accepted: return session_.report(Event::credentials_accepted);
    case ask::Verdict::rejected: return session_.report(Event::credentials_rejected);
    case ask::Verdict::broken: break;
  }
  return session_.report(Event::credentials_broken);
}

deliver::TraceFacts Connection::trace_facts() const {
  const config::Peer peer = config::read_peer(parts_.environment);
  const spec::Guards guards = session_.guards();
  const bool is_hidden = parts_.start.hides_user && guards.has(bit::authentication_done);
  return {.remote_host = peer.remote_host,
          .remote_info = is_hidden ? std::string_view() : peer.remote_info,
          .remote_ip = peer.remote_ip,
          .local_host = peer.local_host.empty() ? config::host_name(parts_.start) : peer.local_host,
          .helo = session_.client_name(),
          .greeting = guards.has(bit::greeting_ehlo)   ? deliver::TraceFacts::Greeting::ehlo
                      : guards.has(bit::greeting_helo) ? deliver::TraceFacts::Greeting::helo
                                                       : deliver::TraceFacts::Greeting::none,
          .has_tls = !guards.has(bit::channel_clear),
          .is_authenticated = guards.has(bit::authentication_done),
          .tls_version = parts_.transport.tls_version(),
          .tls_cipher = parts_.transport.tls_cipher()};
}

// Before DATA is answered. Where there is no transaction with a recipient the policy refuses it anyway.
bool Connection::reserve() try {
  if (!session_.guards().has(bit::transaction_rcpt)) return true;
  id_ = ids_.next(std::time(nullptr));
  is_receiving_ = true;
  const std::string lack =
      parts_.hand_over.begin(id_, deliver::received_field(trace_facts(), id_), session_.envelope().reverse_path());
  if (lack.empty()) return true;
  parts_.journal.trouble(lack);
  abandon_message();
  return false;
} catch (const std::bad_alloc&) {
  parts_.journal.trouble("no memory for a message");
  abandon_message();
  return false;
}

void Connection::abandon_message() {
  if (is_receiving_) parts_.hand_over.abandon();
  is_receiving_ = false;
}

// None: there was no memory for it.
std::optional<deliver::Outcome> Connection::finish_message() try {
  if (!is_receiving_) return std::nullopt;
  const bool is_gone = parts_.transport.has_left({input_.data() + unread_begin_, unread_end_ - unread_begin_});
  if (is_gone) abandon_message();
  return is_gone ? deliver::withdrawn() : parts_.hand_over.finish(session_.envelope().octets());
} catch (const std::bad_alloc&) {
  abandon_message();
  return std::nullopt;
}

Step Connection::hand_over() {
  const std::optional<deliver::Outcome> finished = finish_message();
  const deliver::Outcome& outcome = finished ? *finished : no_memory_;
  is_receiving_ = false;
  parts_.journal.message(id_, outcome, session_);
  switch (outcome.result) {
    case deliver::Outcome::Result::accepted: return session_.report(Event::hand_over_accepted, outcome.verdict);
    case deliver::Outcome::Result::refused: return session_.report(Event::hand_over_refused, outcome.verdict);
    case deliver::Outcome::Result::client_gone: return session_.report(Event::hand_over_client_gone);
    case deliver::Outcome::Result::deferred: break;
  }
  return session_.report(Event::hand_over_deferred, outcome.verdict);
}

}  // namespace postern::daemon
