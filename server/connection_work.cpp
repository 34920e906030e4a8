// The effects of a session: what can be done at once, and what a job does while the session waits.
#include <sys/socket.h>

#include <ctime>
#include <utility>

#include "ask/auth_cdb.hpp"
#include "ask/auth_environment.hpp"
#include "ask/check_program.hpp"
#include "base/wipe.hpp"
#include "server/connection.hpp"
#include "server/policies.hpp"

namespace postern::server {

using deliver::Outcome;
using engine::Step;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

// A password on its way to who judges it.
class CredentialsJob final : public loop::Job {
 public:
  CredentialsJob(Connection& connection, std::string_view username, std::string_view password)
      : loop::Job(connection.context_.loop),
        connection_(connection),
        served_(connection.served_),
        environment_(connection.environment()),
        username_(username),
        password_(password) {}
  CredentialsJob(const CredentialsJob&) = delete;
  CredentialsJob& operator=(const CredentialsJob&) = delete;
  ~CredentialsJob() override { base::wipe(password_); }

  void run() override {
    const ask::Credentials credentials{username_, password_};
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    if (served_->start.backend == config::BackendKind::auth_cdb) {
      ask::AuthCdb users(served_->start.auth_cdb.c_str());
      result_ = users.check(credentials, now);
      pairs_ = users.environment_pairs();
    } else {
      result_ = check_by_program(credentials, now);
    }
  }

  void done() override { connection_.credentials_checked(result_, pairs_); }

 private:
  [[nodiscard]] ask::CheckResult check_by_program(const ask::Credentials& credentials, std::uint64_t now) {
    std::vector<std::string> words(served_->check_program.begin() + 1, served_->check_program.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return ask::CheckProgram(argv.data(), environment_, spec::max_check_seconds).check(credentials, now);
  }

  Connection& connection_;
  std::shared_ptr<const Served> served_;
  const base::Environment& environment_;
  std::string username_, password_;
  ask::CheckResult result_{ask::Verdict::broken, "nobody judged"};
  std::string pairs_;
};

// Comes back to the session that submitted it.
class StoreJobOfConnection final : public deliver::StoreJob {
 public:
  StoreJobOfConnection(Connection& connection, Goal goal)
      : deliver::StoreJob(connection.context_.loop, goal), connection_(connection), lane_(connection.served_->lane) {}
  void done() override { connection_.stored(*this); }

  MessageSlot slot;  // of a message that is abandoned

 private:
  Connection& connection_;
  std::shared_ptr<deliver::Lane> lane_;  // outlives the parcel
};

Step Connection::perform(const Step& step) {
  switch (step.effect) {
    case Effect::check_recipient: return check_recipient();
    case Effect::check_credentials: return check_credentials();
    case Effect::hand_over: return hand_over();
    case Effect::begin_message: begin_window(); break;  // reserve() has begun the message
    case Effect::abandon_message: abandon_message(); break;
    case Effect::close:
      ended_by_quit_ = step.rule == spec::Rule::quit;
      phase_ = Phase::closing;
      wait_at_most(std::chrono::seconds(10));
      abandon_message();
      break;
    case Effect::start_tls: starts_tls_ = true; break;
    case Effect::none:
    case Effect::begin_transaction:
    case Effect::add_recipient:
    case Effect::delay: break;
  }
  return {};
}

Step Connection::check_recipient() try {
  const bool is_authenticated = session().guards().has(bit::authentication_done);
  const auto judgement = context_.recipients->judge(
      session().envelope().reverse_path(), session().mailbox(),
      {.local_ip = base::write(local_end().address).view(),
       .relay_value = is_authenticated ? std::string_view() : std::string_view(served_->relay_value),
       .may_ask_to_relay = config::may_ask_to_relay(served_->start, session().guards())});
  if (!judgement.problem.empty()) context_.journal_of(remote_, number_).trouble(judgement.problem);
  return session().report(judgement.event, judgement.address);
} catch (const std::bad_alloc&) {
  context_.journal_of(remote_, number_).trouble("no memory to look up a recipient");
  return session().report(Event::recipient_unknowable);
}

// deviation D22: the first gate. Who stands before it waits as one whose password is wrong, and learns nothing about it.
Step Connection::check_credentials() {
  if (context_.guesses.is_shut(remote_.address, engine::mark_of(session().username()), context_.loop.now()))
    return session().report(Event::credentials_user_gated);
  try {
    submit_credentials();
  } catch (const std::bad_alloc&) {
    context_.journal_of(remote_, number_).trouble("no memory to judge a password");
    context_.metrics.auth(observe::AuthResult::broken);
    return session().report(Event::credentials_broken);
  }
  return {};
}

void Connection::submit_credentials() {
  auto job = std::make_unique<CredentialsJob>(*this, session().username(), session().password());
  phase_ = Phase::working;
  ++jobs_;
  disarm();
  context_.checkers.submit(std::move(job));
}

void Connection::credentials_checked(const ask::CheckResult& result, std::string_view pairs) {
  --jobs_;
  if (phase_ == Phase::over) return try_to_leave();
  in_turn([&] { take_verdict(result, pairs); });
}

void Connection::take_verdict(const ask::CheckResult& result, std::string_view pairs) {
  journal_of_decisions().credentials(result, session().username());
  const engine::UserMark user = engine::mark_of(session().username());
  if (result.verdict == ask::Verdict::accepted) {
    ask::enter_auth_environment(environment(), session().username(), pairs);
    facts().peer = config::read_peer(environment());
    const config::SizeAndRecipients limits = config::read_limits(served_->start, environment());
    session().set_limits(limits.databytes, limits.max_recipients);
  }
  switch (result.verdict) {
    case ask::Verdict::accepted:
      context_.metrics.auth(observe::AuthResult::accepted);
      note_gates(context_.guesses.accepted(remote_.address, user));
      return resume(Event::credentials_accepted);
    case ask::Verdict::rejected:
      context_.metrics.auth(observe::AuthResult::rejected);
      note_gates(context_.guesses.rejected(remote_.address, user, context_.loop.now()));
      return resume(Event::credentials_rejected);
    case ask::Verdict::broken: break;
  }
  context_.metrics.auth(observe::AuthResult::broken);
  resume(Event::credentials_broken);
}

void Connection::note_gates(const limits::GateChanges& changes) {
  for (const auto& change : changes.all) {
    if (!change) continue;
    context_.metrics.gate_changed(change->kind, change->is_shut);
    tell(context_.journal_of(remote_, number_), *change);
  }
}

void Connection::resume(Event event) {
  phase_ = Phase::serving;
  is_resumed_ = true;
  patience_began_ = context_.loop.now();
  take(session().report(event));
  serve();
}

// Before DATA is answered: what a message wants is had, or the client is told. Where there is no transaction with a
// recipient the policy refuses DATA anyway.
bool Connection::reserve() {
  if (!session().guards().has(bit::transaction_rcpt) || served_->lane->keeps_nothing()) return true;
  try {
    message_ = make_message();
  } catch (const std::bad_alloc&) {
    context_.journal_of(remote_, number_).trouble("no memory for another message");
  }
  return message_ != nullptr;
}

std::unique_ptr<Connection::Message> Connection::make_message() {
  const auto lacks = [this](std::string_view sentence) {
    context_.journal_of(remote_, number_).trouble(sentence);
    return nullptr;
  };
  MessageSlot slot = context_.slots.take();
  if (!slot.is_taken()) return lacks("no descriptor for another message: raise ulimit -n, or LimitNOFILE=");
  if (!context_.has_memory())
    return lacks("no memory for another message: raise ulimit -v, or the memory of the machine");
  auto message = std::make_unique<Message>();
  message->slot = std::move(slot);
  message->id = context_.message_ids.next(std::time(nullptr));
  message->received = deliver::received_field(trace_facts(), message->id);
  message->parcel = served_->lane->open(environment());
  return message;
}

Step Connection::hand_over() {
  if (served_->lane->keeps_nothing()) return handed_over(deliver::discarded());
  if (message_ == nullptr)
    return handed_over({Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)),
                        "no memory for the message"});
  const deliver::MessageId id = message_->id;
  if (is_client_gone()) {
    abandon_message();
    return handed_over(deliver::withdrawn(), id);
  }
  try {
    submit(deliver::StoreJob::Goal::finish);
  } catch (const std::bad_alloc&) {
    drop_message();
    return handed_over({Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)),
                        "no memory to hand over a message"},
                       id);
  }
  return {};
}

Step Connection::handed_over(const Outcome& outcome, deliver::MessageId id) {
  journal_of_decisions().message(id, outcome, session());
  switch (outcome.result) {
    case Outcome::Result::accepted:
      context_.metrics.message(observe::MessageResult::accepted, session().stored_octets());
      return session().report(Event::hand_over_accepted, outcome.verdict);
    case Outcome::Result::refused:
      context_.metrics.message(observe::MessageResult::refused, 0);
      return session().report(Event::hand_over_refused, outcome.verdict);
    case Outcome::Result::client_gone:
      context_.metrics.message(observe::MessageResult::client_gone, 0);
      return session().report(Event::hand_over_client_gone);
    case Outcome::Result::deferred: break;
  }
  context_.metrics.message(observe::MessageResult::deferred, 0);
  return session().report(Event::hand_over_deferred, outcome.verdict);
}

// Looked at only when epoll has told of an end, so that it costs nothing while the client is there.
bool Connection::is_client_gone() {
  return has_hung_up_ && channel_.has_left(context_.ahead.empty() ? carry_.octets() : context_.ahead);
}

// Deviation D26: whoever hands the message over looks once more before it begins.
void Connection::withdraw_if_gone() {
  if (message_ != nullptr && message_->finishing != nullptr && is_client_gone()) message_->finishing->withdraw();
}

void Connection::abandon_message() {
  if (message_ == nullptr || phase_ == Phase::working) return;
  try {
    if (message_->is_begun) return submit(deliver::StoreJob::Goal::abandon);
  } catch (const std::bad_alloc&) {  // then here, though it may wait for a disk
  }
  message_.reset();
}

// What is left of it when the job for it could not be made.
void Connection::drop_message() {
  message_.reset();
  phase_ = Phase::serving;
}

// A message that does not fit into memory is forgotten: at its end hand_over() finds none, and defers it.
void Connection::store(const Step& step) try {
  if (message_ == nullptr) return;
  if (message_->octets.empty() && step.data.size() > deliver::spool_octets / 4)
    message_->octets.reserve(deliver::spool_octets * 3);
  message_->octets += step.data;
  if (!step.is_decision && message_->octets.size() >= deliver::spool_octets) submit(deliver::StoreJob::Goal::spool);
} catch (const std::bad_alloc&) {
  abandon_message();
}

// The session waits meanwhile, but not for what is abandoned. What it wants of memory it takes first: when there is none, the message is as it was.
void Connection::submit(deliver::StoreJob::Goal goal) {
  auto job = std::make_unique<StoreJobOfConnection>(*this, goal);
  job->reverse_path = session().envelope().reverse_path();
  if (goal == deliver::StoreJob::Goal::finish) job->envelope = session().envelope().octets();
  job->parcel = std::move(message_->parcel);
  job->is_begun = std::exchange(message_->is_begun, true);
  job->id = message_->id;
  job->received = std::exchange(message_->received, {});
  job->octets = std::exchange(message_->octets, {});
  if (goal == deliver::StoreJob::Goal::abandon) {
    job->slot = std::move(message_->slot);
    message_.reset();
  } else {
    phase_ = Phase::working;
    if (goal == deliver::StoreJob::Goal::finish) message_->finishing = job.get();
  }
  ++jobs_;
  job_began_ = context_.loop.now();
  served_->lane->submit(std::move(job));
}

void Connection::stored(deliver::StoreJob& job) {
  --jobs_;
  if (phase_ == Phase::over) return try_to_leave();
  in_turn([&] {
    if (job.goal() != deliver::StoreJob::Goal::abandon) take_outcome(job);
  });
}

void Connection::take_outcome(deliver::StoreJob& job) {
  // A piece of a large message that is put aside is no hand-over, nor is a message that was withdrawn.
  if (job.goal() == deliver::StoreJob::Goal::finish && job.outcome.result != Outcome::Result::client_gone)
    context_.metrics.took(observe::Duration::hand_over, context_.loop.now() - job_began_);
  phase_ = Phase::serving;
  is_resumed_ = true;
  patience_began_ = context_.loop.now();
  if (job.goal() == deliver::StoreJob::Goal::spool) {
    window_began_ += context_.loop.now() - job_began_;  // it was we who did not read
    message_->parcel = std::move(job.parcel);
    message_->octets = std::move(job.octets);  // empty: its room is used again
    if (job.has_failed) abandon_message();
  } else {
    message_.reset();
    take(handed_over(job.outcome, job.id));
  }
  serve();
}

deliver::TraceFacts Connection::trace_facts() {
  const config::Peer& peer = facts().peer;
  const spec::Guards guards = session().guards();
  const bool is_hidden = served_->start.hides_user && guards.has(bit::authentication_done);
  return {.remote_host = peer.remote_host,
          .remote_info = is_hidden ? std::string_view() : peer.remote_info,
          .remote_ip = peer.remote_ip,
          .local_host = peer.local_host.empty() ? config::host_name(served_->start) : peer.local_host,
          .helo = session().client_name(),
          .greeting = guards.has(bit::greeting_ehlo)   ? deliver::TraceFacts::Greeting::ehlo
                      : guards.has(bit::greeting_helo) ? deliver::TraceFacts::Greeting::helo
                                                       : deliver::TraceFacts::Greeting::none,
          .has_tls = !guards.has(bit::channel_clear),
          .is_authenticated = guards.has(bit::authentication_done),
          .tls_version = channel_.tls_version(),
          .tls_cipher = channel_.tls_cipher()};
}

// Made when it is first asked for: most sessions need none.
Connection::Facts& Connection::facts() {
  if (facts_ != nullptr) return *facts_;
  auto made = std::make_unique<Facts>(base::Environment(served_->pointers.data()));
  const base::AddressText remote_ip = base::write(remote_.address), local_ip = base::write(local_end().address);
  config::write_peer(made->environment, {.remote_ip = remote_ip.view(),
                                         .remote_port = std::to_string(remote_.port),
                                         .local_ip = local_ip.view(),
                                         .local_port = std::to_string(local_end().port)});
  made->peer = config::read_peer(made->environment);
  facts_ = std::move(made);
  return *facts_;
}

observe::Journal Connection::journal_of_decisions() {
  return context_.journal_of(remote_, number_, context_.listener_names[door_.listener]);
}

// Asked for late, for most sessions never need it.
const base::Endpoint& Connection::local_end() {
  if (std::exchange(knows_local_, true)) return local_;
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  if (::getsockname(channel_.number(), reinterpret_cast<sockaddr*>(&name), &octets) == 0)
    local_ = base::endpoint_of(name).value_or(base::Endpoint{});
  return local_;
}

}  // namespace postern::server
