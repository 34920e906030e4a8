#include "daemon/connection.hpp"

#include <unistd.h>

#include <cstring>
#include <ctime>

#include "daemon/auth_environment.hpp"
#include "daemon/tcpserver_env.hpp"

namespace postern::daemon {

using engine::Step;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

void Connection::run(Event first) {
  take(session_.report(first));
  while (is_open_) {
    serve_unread();
    if (is_open_) wait_for_client();
  }
  flush();
}

void Connection::serve_unread() {
  while (is_open_) {
    const std::string_view unread(input_.data() + unread_begin_, unread_end_ - unread_begin_);
    const Step step = session_.step(unread, decoded_);
    if (is_receiving_ && !step.data.empty()) parts_.hand_over.write(step.data);
    drop_consumed(step);
    if (step.is_decision) {
      take(step);
    } else if (step.consumed == 0 || unread_begin_ == unread_end_) {
      return;
    }
  }
}

void Connection::drop_consumed(const Step& step) {
  if (step.holds_secret) explicit_bzero(input_.data() + unread_begin_, step.consumed);
  unread_begin_ += step.consumed;
}

void Connection::wait_for_client() {
  flush();
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
  if (unsent_octets_ + step.reply.size() > output_.size()) flush();
  unsent_octets_ += step.reply.copy(output_.data() + unsent_octets_, step.reply.size());
}

void Connection::flush() {
  const Io io = unsent_octets_ == 0 ? Io::done : parts_.transport.write({output_.data(), unsent_octets_});
  unsent_octets_ = 0;
  if (io == Io::done || !is_open_) return;
  is_open_ = false;  // nobody reads what would be said
  abandon_message();
}

Step Connection::perform(const Step& step) {
  switch (step.effect) {
    case Effect::check_recipient: return check_recipient();
    case Effect::check_credentials: return check_credentials();
    case Effect::hand_over: return hand_over();
    case Effect::begin_message: begin_message(); break;
    case Effect::abandon_message: abandon_message(); break;
    case Effect::close:
      ended_by_quit_ = step.rule == spec::Rule::quit;
      is_open_ = false;
      abandon_message();
      break;
    case Effect::start_tls:
      flush();
      parts_.tls.start_tls(session_.counters());
      return session_.report(Event::handshake_failed);
    case Effect::none:
    case Effect::begin_transaction:
    case Effect::add_recipient:
    case Effect::delay: break;
  }
  return {};
}

Step Connection::check_recipient() {
  const bool is_authenticated = session_.guards().has(bit::authentication_done);
  const auto judgement = parts_.recipients.judge(
      session_.envelope().reverse_path(), session_.mailbox(),
      {.local_ip = read_peer(parts_.environment).local_ip,
       .relay_value = is_authenticated ? std::string_view() : parts_.environment.value_of("RELAYCLIENT"),
       .may_ask_to_relay = may_ask_to_relay(parts_.start, session_.guards())});
  if (!judgement.problem.empty()) parts_.journal.trouble(judgement.problem);
  return session_.report(judgement.event, judgement.address);
}

Step Connection::check_credentials() {
  const CheckResult result =
      parts_.backend->check({session_.username(), session_.password()}, static_cast<std::uint64_t>(std::time(nullptr)));
  if (result.verdict == Verdict::accepted) {
    enter_auth_environment(parts_.environment, session_.username(), parts_.backend->environment_pairs());
    const SizeAndRecipients limits = read_limits(parts_.start, parts_.environment);
    session_.set_limits(limits.databytes, limits.max_recipients);
  }
  parts_.journal.credentials(result, session_.username());
  switch (result.verdict) {
    case Verdict::accepted: return session_.report(Event::credentials_accepted);
    case Verdict::rejected: return session_.report(Event::credentials_rejected);
    case Verdict::broken: break;
  }
  return session_.report(Event::credentials_broken);
}

TraceFacts Connection::trace_facts() const {
  const Peer peer = read_peer(parts_.environment);
  const spec::Guards guards = session_.guards();
  const bool is_hidden = parts_.start.hides_user && guards.has(bit::authentication_done);
  return {.remote_host = peer.remote_host,
          .remote_info = is_hidden ? std::string_view() : peer.remote_info,
          .remote_ip = peer.remote_ip,
          .local_host = peer.local_host.empty() ? host_name(parts_.start) : peer.local_host,
          .helo = session_.client_name(),
          .greeting = guards.has(bit::greeting_ehlo)   ? TraceFacts::Greeting::ehlo
                      : guards.has(bit::greeting_helo) ? TraceFacts::Greeting::helo
                                                       : TraceFacts::Greeting::none,
          .has_tls = !guards.has(bit::channel_clear),
          .is_authenticated = guards.has(bit::authentication_done),
          .tls_version = parts_.transport.tls_version(),
          .tls_cipher = parts_.transport.tls_cipher()};
}

void Connection::begin_message() {
  id_ = ids_.next(std::time(nullptr));
  parts_.hand_over.begin(id_, received_field(trace_facts(), id_), session_.envelope().reverse_path());
  is_receiving_ = true;
}

void Connection::abandon_message() {
  if (is_receiving_) parts_.hand_over.abandon();
  is_receiving_ = false;
}

Step Connection::hand_over() {
  const bool is_gone = parts_.transport.has_left({input_.data() + unread_begin_, unread_end_ - unread_begin_});
  if (is_gone) abandon_message();
  is_receiving_ = false;
  const Outcome outcome = is_gone ? withdrawn() : parts_.hand_over.finish(session_.envelope().octets());
  parts_.journal.message(id_, outcome, session_);
  switch (outcome.result) {
    case Outcome::Result::accepted: return session_.report(Event::hand_over_accepted, outcome.verdict);
    case Outcome::Result::refused: return session_.report(Event::hand_over_refused, outcome.verdict);
    case Outcome::Result::client_gone: return session_.report(Event::hand_over_client_gone);
    case Outcome::Result::deferred: break;
  }
  return session_.report(Event::hand_over_deferred, outcome.verdict);
}

}  // namespace postern::daemon
