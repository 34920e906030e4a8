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

using engine::Ticket;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

observe::AuthResult counted(ask::Verdict verdict) {
  switch (verdict) {
    case ask::Verdict::accepted: return observe::AuthResult::accepted;
    case ask::Verdict::rejected: return observe::AuthResult::rejected;
    case ask::Verdict::broken: break;
  }
  return observe::AuthResult::broken;
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
    case engine::Question::hand_over: return message.hand_over(want.ticket);
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

}  // namespace postern::server
