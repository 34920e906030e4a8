#include "server/client_work.hpp"

#include <ctime>
#include <utility>
#include <vector>

#include "ask/auth_cdb.hpp"
#include "ask/auth_environment.hpp"
#include "ask/check_program.hpp"
#include "base/wipe.hpp"
#include "server/connection.hpp"
#include "server/policies.hpp"

namespace postern::server {

using deliver::Outcome;
using engine::Ticket;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

deliver::Outcome deferred(const char* cause) {
  return {deliver::Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)), cause};
}

observe::AuthResult counted(ask::Verdict verdict) {
  switch (verdict) {
    case ask::Verdict::accepted: return observe::AuthResult::accepted;
    case ask::Verdict::rejected: return observe::AuthResult::rejected;
    case ask::Verdict::broken: break;
  }
  return observe::AuthResult::broken;
}

observe::MessageResult counted(deliver::Outcome::Result result) {
  switch (result) {
    case deliver::Outcome::Result::accepted: return observe::MessageResult::accepted;
    case deliver::Outcome::Result::refused: return observe::MessageResult::refused;
    case deliver::Outcome::Result::client_gone: return observe::MessageResult::client_gone;
    case deliver::Outcome::Result::deferred: break;
  }
  return observe::MessageResult::deferred;
}

}  // namespace

// A password on its way to who judges it.
class CredentialsJob final : public loop::Job {
 public:
  CredentialsJob(Connection& connection, Ticket ticket)
      : loop::Job(connection.client_.context.loop),
        connection_(connection),
        ticket_(ticket),
        served_(connection.client_.served),
        environment_(connection.client_.facts(connection.talk_.stream.socket()).environment),
        username_(connection.talk_.conversation().session().username()),
        password_(connection.talk_.conversation().session().password()) {}
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

  void done() override {
    connection_.job_done([this] { connection_.work_.credentials_judged(ticket_, result_, pairs_); });
  }

 private:
  [[nodiscard]] ask::CheckResult check_by_program(const ask::Credentials& credentials, std::uint64_t now) {
    std::vector<std::string> words(served_->check_program.begin() + 1, served_->check_program.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return ask::CheckProgram(argv.data(), environment_, spec::max_check_seconds).check(credentials, now);
  }

  Connection& connection_;
  Ticket ticket_;
  std::shared_ptr<const Served> served_;
  const base::Environment& environment_;
  std::string username_, password_;
  ask::CheckResult result_{ask::Verdict::broken, "nobody judged"};
  std::string pairs_;
};

// Comes back to the connection that submitted it.
class StoreJobOfClient final : public deliver::StoreJob {
 public:
  StoreJobOfClient(Connection& connection, Goal goal, Ticket ticket)
      : deliver::StoreJob(connection.client_.context.loop, goal),
        connection_(connection),
        ticket_(ticket),
        lane_(connection.client_.served->lane) {}
  void done() override {
    connection_.job_done([this] { connection_.work_.stored(ticket_, *this); });
  }

  MessageSlot slot;  // of a message that is abandoned

 private:
  Connection& connection_;
  Ticket ticket_;
  std::shared_ptr<deliver::Lane> lane_;  // outlives the parcel
};

Client& ClientWork::client() { return connection_.client_; }

const engine::Session& ClientWork::session() const { return connection_.talk_.conversation().session(); }

void ClientWork::note(const engine::Note& note) {
  const engine::Step& step = note.step;
  observe::Shard& metrics = client().context.metrics;
  metrics.rule_hit(step.rule);
  if (step.code != 0) metrics.replied(step.code);
  // A client that is turned away without a word, before TLS or because it sent no PROXY header: the operator is told.
  const bool is_silent = step.code == 0 && step.effect == Effect::close && step.before.has(bit::waiting_connect);
  if (step.code >= 400 || is_silent) client().journal_of_decisions().refusal(step, note.session);
  if (step.refused_user != 0)
    note_gates(
        client().context.guesses.refused(client().remote.address, step.refused_user, client().context.loop.now()));
}

void ClientWork::note_gates(const limits::GateChanges& changes) {
  for (const auto& change : changes.all) {
    if (!change) continue;
    client().context.metrics.gate_changed(change->kind, change->is_shut);
    tell(client().journal(), *change);
  }
}

void ClientWork::ask(const engine::Want& want) {
  switch (want.question) {
    case engine::Question::recipient: return judge_recipient(want.ticket);
    case engine::Question::credentials: return judge_credentials(want.ticket);
    case engine::Question::hand_over: return hand_over(want.ticket);
  }
}

void ClientWork::judge_recipient(Ticket ticket) {
  const bool is_authenticated = session().guards().has(bit::authentication_done);
  const Served& served = *client().served;
  engine::Answer answer = engine::nobody_answers(engine::Question::recipient);
  try {
    const auto judgement = client().context.recipients->judge(
        session().envelope().reverse_path(), session().mailbox(),
        {.local_ip = write(client().local(connection_.talk_.stream.socket()).address).view(),
         .relay_value = is_authenticated ? std::string_view() : std::string_view(served.relay_value),
         .may_ask_to_relay = config::may_ask_to_relay(served.start, session().guards())});
    if (!judgement.problem.empty()) client().journal().trouble(judgement.problem);
    answer = {judgement.event, judgement.address};  // which lives until the next one is judged
  } catch (const std::bad_alloc&) {
    client().journal().trouble("no memory to look up a recipient");
  }
  connection_.talk_.answer(ticket, answer);
}

// deviation D22: the first gate. Who stands before it waits as one whose password is wrong, and learns nothing about it.
void ClientWork::judge_credentials(Ticket ticket) {
  LoopContext& context = client().context;
  if (context.guesses.is_shut(client().remote.address, engine::mark_of(session().username()), context.loop.now()))
    return connection_.talk_.answer(ticket, {Event::credentials_user_gated});
  try {
    connection_.talk_.keep_workspace();
    context.checkers.submit(std::make_unique<CredentialsJob>(connection_, ticket));
    ++connection_.jobs_;
    connection_.awaited_ = ticket;
    return;
  } catch (const std::bad_alloc&) {
    client().journal().trouble("no memory to judge a password");
    context.metrics.auth(observe::AuthResult::broken);
  }
  connection_.talk_.answer(ticket, engine::nobody_answers(engine::Question::credentials));
}

void ClientWork::credentials_judged(Ticket ticket, const ask::CheckResult& result, std::string_view pairs) {
  LoopContext& context = client().context;
  const base::Address& from = client().remote.address;
  connection_.awaited_ = Ticket::none;
  client().journal_of_decisions().credentials(result, session().username());
  const engine::UserMark user = engine::mark_of(session().username());
  if (result.verdict == ask::Verdict::accepted) {
    Client::Facts& facts = client().facts(connection_.talk_.stream.socket());
    ask::enter_auth_environment(facts.environment, session().username(), pairs);
    facts.peer = config::read_peer(facts.environment);
    const config::SizeAndRecipients limits = config::read_limits(client().served->start, facts.environment);
    connection_.talk_.conversation().set_limits(limits.databytes, limits.max_recipients);
  }
  context.metrics.auth(counted(result.verdict));
  if (result.verdict == ask::Verdict::accepted) note_gates(context.guesses.accepted(from, user));
  if (result.verdict == ask::Verdict::rejected) note_gates(context.guesses.rejected(from, user, context.loop.now()));
  connection_.talk_.answer(ticket, engine::answer_of(result.verdict));
}

// Before DATA is answered: what a message wants is had, or the client is told. Where there is no transaction with a
// recipient the policy refuses DATA anyway.
bool ClientWork::reserve() {
  if (!session().guards().has(bit::transaction_rcpt) || client().served->lane->keeps_nothing()) return true;
  try {
    message_ = make_message();
  } catch (const std::bad_alloc&) {
    client().journal().trouble("no memory for another message");
  }
  return message_ != nullptr;
}

std::unique_ptr<ClientWork::Message> ClientWork::make_message() {
  LoopContext& context = client().context;
  const auto lacks = [this](std::string_view sentence) {
    client().journal().trouble(sentence);
    return nullptr;
  };
  MessageSlot slot = context.slots.take();
  if (!slot.is_taken()) return lacks("no descriptor for another message: raise ulimit -n, or LimitNOFILE=");
  if (!context.has_memory())
    return lacks("no memory for another message: raise ulimit -v, or the memory of the machine");
  auto message = std::make_unique<Message>();
  message->slot = std::move(slot);
  message->id = context.message_ids.next(std::time(nullptr));
  message->received = deliver::received_field(trace_facts(), message->id);
  message->parcel = client().served->lane->open(client().facts(connection_.talk_.stream.socket()).environment);
  return message;
}

deliver::TraceFacts ClientWork::trace_facts() {
  const config::Peer& peer = client().facts(connection_.talk_.stream.socket()).peer;
  const config::Start& start = client().served->start;
  const engine::SessionTrace trace = engine::trace_of(session());
  return {.remote_host = peer.remote_host,
          .remote_info = start.hides_user && trace.is_authenticated ? std::string_view() : peer.remote_info,
          .remote_ip = peer.remote_ip,
          .local_host = peer.local_host.empty() ? config::host_name(start) : peer.local_host,
          .session = trace,
          .tls_version = connection_.talk_.stream.channel().tls_version(),
          .tls_cipher = connection_.talk_.stream.channel().tls_cipher()};
}

// A message that does not fit into memory is forgotten: at its end hand_over() finds none, and defers it.
void ClientWork::keep(std::string_view mail_data) try {
  if (message_ == nullptr) return;
  std::string& octets = message_->octets;
  if (octets.empty() && mail_data.size() > deliver::spool_octets / 4) octets.reserve(deliver::spool_octets * 3);
  octets += mail_data;
} catch (const std::bad_alloc&) {
  drop();
}

void ClientWork::spool_if_full() try {
  if (message_ != nullptr && message_->octets.size() >= deliver::spool_octets)
    submit(deliver::StoreJob::Goal::spool, Ticket::none);
} catch (const std::bad_alloc&) {
  drop();
}

void ClientWork::hand_over(Ticket ticket) {
  if (client().served->lane->keeps_nothing()) return handed_over(ticket, deliver::discarded());
  if (message_ == nullptr) return handed_over(ticket, deferred("no memory for the message"));
  const deliver::MessageId id = message_->id;
  if (is_client_gone()) {
    drop();
    return handed_over(ticket, deliver::withdrawn(), id);
  }
  try {
    return submit(deliver::StoreJob::Goal::finish, ticket);
  } catch (const std::bad_alloc&) {
    message_.reset();
  }
  handed_over(ticket, deferred("no memory to hand over a message"), id);
}

void ClientWork::handed_over(Ticket ticket, const deliver::Outcome& outcome, deliver::MessageId id) {
  client().journal_of_decisions().message(id, outcome, session());
  const bool is_accepted = outcome.result == deliver::Outcome::Result::accepted;
  client().context.metrics.message(counted(outcome.result), is_accepted ? session().stored_octets() : 0);
  connection_.talk_.answer(ticket, engine::answer_of(outcome.result, outcome.verdict));
}

// Looked at only when epoll has told of an end, so that it costs nothing while the client is there.
bool ClientWork::is_client_gone() {
  const std::string_view ahead = client().context.ahead;
  return connection_.talk_.stream.has_hung_up() &&
         connection_.talk_.stream.channel().has_left(ahead.empty() ? connection_.talk_.carry.octets() : ahead);
}

void ClientWork::withdraw_if_gone() {
  const bool is_handed_over =
      message_ != nullptr && message_->job != nullptr && message_->job->goal() == deliver::StoreJob::Goal::finish;
  if (is_handed_over && is_client_gone()) message_->job->withdraw();
}

void ClientWork::drop() {
  if (message_ == nullptr || message_->job != nullptr) return;
  try {
    if (message_->is_begun) return submit(deliver::StoreJob::Goal::abandon, Ticket::none);
  } catch (const std::bad_alloc&) {  // then here, though it may wait for a disk
  }
  message_.reset();
}

// What it wants of memory it takes first: when there is none, the message is as it was.
void ClientWork::submit(deliver::StoreJob::Goal goal, Ticket ticket) {
  if (goal != deliver::StoreJob::Goal::abandon) connection_.talk_.keep_workspace();
  auto job = std::make_unique<StoreJobOfClient>(connection_, goal, ticket);
  job->reverse_path = session().envelope().reverse_path();
  if (goal == deliver::StoreJob::Goal::finish) job->envelope = session().envelope().octets();
  job->parcel = std::move(message_->parcel);
  job->is_begun = std::exchange(message_->is_begun, true);
  job->id = message_->id;
  job->received = std::exchange(message_->received, {});
  job->octets = std::exchange(message_->octets, {});
  message_->job = job.get();
  message_->job_began = engine_time(client().context.loop.now());
  if (goal == deliver::StoreJob::Goal::abandon) {
    job->slot = std::move(message_->slot);
    message_.reset();
  }
  ++connection_.jobs_;
  if (goal == deliver::StoreJob::Goal::finish) connection_.awaited_ = ticket;
  client().served->lane->submit(std::move(job));
}

void ClientWork::stored(Ticket ticket, deliver::StoreJob& job) {
  if (job.goal() == deliver::StoreJob::Goal::abandon) return;
  const engine::Time now = engine_time(client().context.loop.now());
  if (job.goal() == deliver::StoreJob::Goal::spool) {
    connection_.talk_.conversation().begin_patience(now, now - message_->job_began);  // it was we who did not read
    message_->job = nullptr;
    message_->parcel = std::move(job.parcel);
    message_->octets = std::move(job.octets);  // empty: its room is used again
    if (job.has_failed) drop();
    return;
  }
  connection_.awaited_ = Ticket::none;
  // A message that was withdrawn was not handed over.
  if (job.outcome.result != deliver::Outcome::Result::client_gone)
    client().context.metrics.took(observe::Duration::hand_over, loop_interval(now - message_->job_began));
  message_.reset();
  handed_over(ticket, job.outcome, job.id);
}

}  // namespace postern::server
