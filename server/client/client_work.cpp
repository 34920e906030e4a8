#include "server/client/client_work.hpp"

#include <new>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "ask/auth_environment.hpp"
#include "ask/greylist.hpp"
#include "ask/recipient_probe.hpp"
#include "server/client/connection.hpp"
#include "server/client/greylisting.hpp"
#include "server/policies.hpp"

namespace postern::server {

using engine::Ticket;
using spec::Effect;
using spec::Event;
namespace bit = spec::bit;

namespace {

constexpr std::string_view gate_of_recipients = "unknown_recipients_per_hour";

observe::AuthResult counted(ask::Verdict verdict) {
  switch (verdict) {
    case ask::Verdict::accepted: return observe::AuthResult::accepted;
    case ask::Verdict::rejected: return observe::AuthResult::rejected;
    case ask::Verdict::broken: break;
  }
  return observe::AuthResult::broken;
}

}  // namespace

class ClientFacts final : public ask::Facts {
 public:
  ClientFacts(ClientWork& work, Client& client, const engine::Session& session, int socket)
      : work_(work), client_(client), session_(session), socket_(socket) {}

  [[nodiscard]] const engine::Session& session() const override { return session_; }
  [[nodiscard]] const config::Start& start() const override { return client_.served->start; }
  [[nodiscard]] const base::Environment& environment() override { return client_.facts(socket_).environment; }
  [[nodiscard]] std::span<char* const> check_program() override { return client_.served->check_program(); }
  [[nodiscard]] std::string local_ip() override { return std::string(write(client_.local(socket_).address).view()); }
  [[nodiscard]] std::string_view relay_value() override { return client_.served->relay_value; }
  [[nodiscard]] ask::DnsStanding dns_standing(ask::Waits waits) override { return work_.dns_standing(waits); }
  [[nodiscard]] ask::QuestionBook* question_book() override { return &client_.context.questions; }

 private:
  ClientWork& work_;
  Client& client_;
  const engine::Session& session_;
  int socket_;
};

namespace {

void note_gates(const Client& client, const limits::GateChanges& changes) {
  for (const auto& change : changes.all) {
    if (!change) continue;
    client.context.metrics.gate_changed(change->kind, change->is_shut);
    server::tell(client.journal(), *change);
  }
}

void watch(Client& client, const engine::Note& note) {
  if (client.served->start.logs_decisions) client.journal().decision(note.step);
  ShadowSessions& shadow = client.context.shadow;
  if (shadow.is_on()) shadow.note(client, note);
}

// deviation D22: the first gate. Its client waits as after a wrong password, and learns nothing about it.
bool is_gated(const Client& client, const engine::Session& session) {
  LoopContext& context = client.context;
  return context.guesses.is_shut(client.remote.address, engine::mark_of(session.username()), context.loop.now());
}

// deviation D33: the same, for who asks which recipients there are. It learns nothing more, also not about those that exist.
bool is_harvesting(const Client& client, const engine::Session& session) {
  LoopContext& context = client.context;
  return !session.guards().has(bit::relay_client | bit::authentication_done) &&
         context.guesses.is_harvesting(client.remote.address, context.loop.now());
}

}  // namespace

// A question on a thread. Comes back to the connection that asked it.
class InquiryJob final : public loop::Job {
 public:
  InquiryJob(Connection& connection, Ticket ticket, std::unique_ptr<ask::Inquiry> inquiry)
      : loop::Job(connection.client_.context.loop),
        connection_(connection),
        ticket_(ticket),
        profile_(connection.client_.served),
        inquiry_(std::move(inquiry)) {}

  void run() override { inquiry_->run(); }
  void done() override {
    connection_.job_done([this] {
      if (connection_.awaited_ == ticket_)
        connection_.work_.found(ticket_, inquiry_->finding());
      else
        connection_.work_.note_late(inquiry_->finding());
    });
  }

 private:
  Connection& connection_;
  Ticket ticket_;
  std::shared_ptr<const ServiceProfile> profile_;  // of the facts
  std::unique_ptr<ask::Inquiry> inquiry_;
};

Client& ClientWork::client() { return connection().client_; }

const engine::Session& ClientWork::session() const { return connection().talk_.conversation().session(); }

void ClientWork::note(const engine::Note& note) {
  const engine::Step& step = note.step;
  LoopContext& context = client().context;
  observe::Shard& metrics = context.metrics;
  observe::RefusedBy by = std::exchange(context.said_by, {});  // of this answer, and of no later line
  if (step.before.has(bit::waiting_mail_data) && message.message_ != nullptr) by.id = message.message_->id;
  metrics.rule_hit(step.rule);
  if (step.code != 0) metrics.replied(step.code);
  // A client that is closed without a reply, before TLS or because it sent no PROXY header: the log says so.
  const bool is_silent = step.code == 0 && step.effect == Effect::close && step.before.has(bit::waiting_connect);
  if (step.code >= 400 || is_silent) client().journal_of_decisions().refusal(step, by);
  if (context.is_watched()) watch(client(), note);
  if (step.refused_user != 0)
    note_gates(client(), client().context.guesses.refused(client().remote.address, step.refused_user,
                                                          client().context.loop.now()));
}

void ClientWork::note_sent(std::string_view replies) {
  if (client().served->start.logs_decisions) client().journal().sent(replies);
}

void ClientWork::ask(const engine::Want& want) {
  if (want.question == engine::Question::hand_over) return message.hand_over(want.ticket);
  if (want.question == engine::Question::message) return ask_policy_services(ask::message_without_services);
  if (want.question == engine::Question::credentials && is_gated(client(), session())) {
    client().journal_of_decisions().gated(session().username());
    return tell(want.ticket, {Event::credentials_user_gated}, {.name = "failed_auths_per_hour"});
  }
  if (want.question == engine::Question::recipient && is_harvesting(client(), session()))
    return tell_too_many(want.ticket);
  ask::Finding finding{.answer = engine::nobody_answers(want.question)};
  try {
    ClientFacts facts(*this, client(), session(), connection().talk_.stream.socket());
    ask::Asked asked = ask::ask(want.question, facts, *client().context.recipients);
    if (auto* const inquiry = std::get_if<std::unique_ptr<ask::Inquiry>>(&asked))
      return ask_on_a_thread(want.ticket, std::move(*inquiry));
    if (std::holds_alternative<ask::NotYet>(asked)) return connection().talk_.keep_workspace();
    finding = std::move(std::get<ask::Finding>(asked));
  } catch (const std::bad_alloc&) {
    if (want.question == engine::Question::credentials) client().context.metrics.auth(observe::AuthResult::broken);
    constexpr std::string_view why = "no memory to answer what this client asks";
    client().journal().trouble(why);
    return tell(want.ticket, finding.answer, {.why = why});
  }
  found(want.ticket, finding);
}

// Domains are asked about when the address is known, by the question that waits.
ask::DnsStanding ClientWork::dns_standing(ask::Waits waits) {
  const ask::DnsVerdict* const of_client = client().dns_lists == nullptr ? nullptr : client().dns_lists->verdict();
  if (client().dns_lists != nullptr && of_client == nullptr) return {.is_awaited = true};
  const config::Start& start = client().served->start;
  if (waits == ask::Waits::no || (start.sender_lists.empty() && start.helo_lists.empty()))
    return {.verdict = of_client};
  if (asked_ == nullptr) asked_ = std::make_unique<Asked>(connection());
  return asked_->domain_lists.standing(session(), of_client);
}

bool ClientWork::waits_for_dns_lists() {
  return (client().dns_lists != nullptr || asked_ != nullptr) && connection().waits_for_job() &&
         !connection().has_job_in_hand() &&
         connection().talk_.conversation().want().question == engine::Question::recipient;
}

void ClientWork::hear_dns_lists() {
  if (client().dns_lists != nullptr && client().dns_lists->verdict() == nullptr) return;
  if (asked_ != nullptr && asked_->domain_lists.is_awaited()) return;
  ask(connection().talk_.conversation().want());
  connection().end_with_server();
  connection().talk_.resume();
  connection().go_on();
}

bool ClientWork::gives_up_question() {
  const engine::Conversation& talk = connection().talk_.conversation();
  if (engine_time(client().context.loop.now()) < talk.deadline()) return false;
  const bool is_password = talk.want().question == engine::Question::credentials;
  const bool is_message = talk.want().question == engine::Question::message;
  give_up_question(is_message ? "no answer in time: policy services judge messages too slowly"
                              : std::string("no answer in time: ") + (is_password ? "passwords" : "recipients") +
                                    " are checked too slowly, or too many wait (checkers)");
  client().context.said_by = {.why = "no answer in time"};  // of the refusal that follows at once
  return true;
}

// Who looks for the answer is told where that can be, and not heard any more.
void ClientWork::give_up_question(std::string_view why) {
  client().journal().trouble(why);
  if (connection().talk_.conversation().want().question == engine::Question::credentials)
    client().context.metrics.auth(observe::AuthResult::broken);
  connection().awaited_ = Ticket::none;
  withdraw();
}

void ClientWork::end_question() {
  const engine::Want want = connection().talk_.conversation().want();
  if (want.kind != engine::Want::Kind::answer || want.question == engine::Question::hand_over) return;
  give_up_question("the server ends: it waits for no answer to what this client asks");
  tell(want.ticket, engine::nobody_answers(want.question), {.why = "the server ends"});
}

void ClientWork::withdraw() {
  if (asked_ == nullptr) return;
  asked_->domain_lists.withdraw();
  asked_->policy.withdraw();
}

// What it answers stands in a workspace that no other session is lent.
void ClientWork::ask_on_a_thread(Ticket ticket, std::unique_ptr<ask::Inquiry> inquiry) {
  connection().talk_.keep_workspace();
  client().context.checkers.submit(std::make_unique<InquiryJob>(connection(), ticket, std::move(inquiry)));
  ++connection().jobs_;
  connection().awaited_ = ticket;
}

void ClientWork::found(Ticket ticket, const ask::Finding& finding) {
  const bool was_awaited = std::exchange(connection().awaited_, Ticket::none) != Ticket::none;
  if (!finding.trouble.empty()) client().journal().trouble(finding.trouble);
  if (finding.credentials != nullptr) take_credentials(*finding.credentials, finding.environment_pairs);
  const auto probe = ask::next_probe(finding, client().served->start, session());
  if (probe && !(was_awaited && is_too_late()))
    return ClientProbe::ask(connection(), *probe, ticket, finding.answer.text);
  settle(ticket, finding, was_awaited);
}

void ClientWork::settle(Ticket ticket, const ask::Finding& finding, bool was_awaited) {
  const engine::Answer answer =
      was_awaited && is_too_late() ? engine::Answer{Event::recipient_too_many_unknown} : within_limits(finding.answer);
  if (answer.event != finding.answer.event) return tell(ticket, answer, {.name = gate_of_recipients});
  const config::Start& start = client().served->start;
  if (ask::asks_greylist(finding, start, session()) && is_greylisted(client(), session(), answer.text))
    return tell(ticket, {Event::recipient_greylisted}, {.name = "greylist"});
  if (ask::asks_policy_services(finding, start, session())) return ask_policy_services(answer);
  tell(ticket, answer, {.name = finding.said_by, .words = finding.words, .why = finding.trouble});
}

void ClientWork::tell(Ticket ticket, const engine::Answer& answer, const observe::RefusedBy& said_by) {
  client().context.said_by = said_by;
  connection().talk_.answer(ticket, answer);
  client().context.said_by = {};
}

void ClientWork::tell_too_many(Ticket ticket) {
  tell(ticket, {Event::recipient_too_many_unknown}, {.name = gate_of_recipients});
}

// Sessions of one address may have asked together, before its gate was shut: the answer that comes afterwards tells nothing.
bool ClientWork::is_too_late() {
  return connection().talk_.conversation().want().question == engine::Question::recipient &&
         is_harvesting(client(), session());
}

engine::Answer ClientWork::within_limits(const engine::Answer& answer) {
  const Event event = answer.event;
  if (event != Event::recipient_unknown && event != Event::recipient_too_many_unknown &&
      event != Event::recipient_program_refused)
    return answer;
  const auto counted = client().context.guesses.unknown_recipient(client().remote.address, client().context.loop.now());
  note_gates(client(), counted.changes);
  return counted.is_one_too_many ? engine::Answer{Event::recipient_too_many_unknown} : answer;
}

// A client that was not made to wait for it has asked in this turn, when its gate was open.
void ClientWork::hear_probe(ask::Source source, Ticket ticket, const limits::RecipientStanding& standing,
                            std::string_view recipient) {
  const bool was_awaited = std::exchange(connection().awaited_, Ticket::none) != Ticket::none;
  if (!standing.trouble.empty()) client().journal().trouble(standing.trouble);
  const config::Start& start = client().served->start;
  ask::Finding finding = ask::probe_finding(source, standing.event, recipient, start, session());
  finding.words = standing.words;
  finding.trouble = standing.trouble;
  const auto next = ask::next_probe(finding, start, session(), source);
  if (next && !(was_awaited && is_too_late())) return ClientProbe::ask(connection(), *next, ticket, recipient);
  settle(ticket, finding, was_awaited);
}

void ClientWork::ask_policy_services(const engine::Answer& found) {
  const engine::Want want = connection().talk_.conversation().want();
  try {
    if (asked_ == nullptr) asked_ = std::make_unique<Asked>(connection());
  } catch (const std::bad_alloc&) {
    client().journal().trouble(no_memory_for_policy_services);
    return tell(want.ticket, engine::nobody_answers(want.question), {.why = no_memory_for_policy_services});
  }
  asked_->policy.ask(want, found);
}

std::string_view ClientWork::header_fields() const {
  return asked_ == nullptr ? std::string_view() : asked_->policy.header_fields(session().transactions());
}

// The client has its reply. A wrong password still counts as a guess (deviation D22).
void ClientWork::note_late(const ask::Finding& finding) {
  if (finding.credentials == nullptr || finding.credentials->verdict != ask::Verdict::rejected) return;
  client().journal_of_decisions().credentials(*finding.credentials, finding.username);
  note_gates(client(), client().context.guesses.rejected(client().remote.address, engine::mark_of(finding.username),
                                                         client().context.loop.now()));
}

void ClientWork::take_credentials(const ask::CheckResult& result, std::string_view pairs) {
  LoopContext& context = client().context;
  const base::Address& from = client().remote.address;
  client().journal_of_decisions().credentials(result, session().username());
  const engine::UserMark user = engine::mark_of(session().username());
  if (result.verdict == ask::Verdict::accepted) {
    Client::Facts& facts = client().facts(connection().talk_.stream.socket());
    ask::enter_auth_environment(facts.environment, session().username(), pairs);
    facts.peer = config::read_peer(facts.environment);
    const config::SizeAndRecipients limits = config::read_limits(client().served->start, facts.environment);
    connection().talk_.conversation().set_limits(limits.databytes, limits.max_recipients);
  }
  context.metrics.auth(counted(result.verdict));
  if (result.verdict == ask::Verdict::accepted) note_gates(client(), context.guesses.accepted(from, user));
  if (result.verdict == ask::Verdict::rejected)
    note_gates(client(), context.guesses.rejected(from, user, context.loop.now()));
}

}  // namespace postern::server
