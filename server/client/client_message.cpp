#include "server/client/client_message.hpp"

#include <ctime>
#include <new>
#include <string>
#include <utility>

#include "ask/auth_environment.hpp"
#include "server/client/connection.hpp"

namespace postern::server {

using deliver::Outcome;
using engine::Ticket;
namespace bit = spec::bit;

namespace {

Outcome deferred(const char* cause) {
  return {Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)), cause};
}

constexpr std::uint32_t most_jobs = 2;  // of one session that begins a message

bool is_full(const deliver::MailBuffer& buffer) {
  return !buffer.has_room(deliver::MailBuffer::read_octets + deliver::MailBuffer::decode_octets);
}

}  // namespace

// Comes back to the connection that submitted it.
class StoreJobOfClient final : public deliver::StoreJob {
 public:
  StoreJobOfClient(Connection& connection, Goal goal, Ticket of)
      : deliver::StoreJob(connection.client_.context.loop, goal),
        ticket(of),
        connection_(connection),
        delivery_(connection.client_.served->delivery) {}
  // What it has may wait for a disk when it is let go: that is no work for the loop.
  void done() override {
    if (goal() == Goal::append && connection_.phase_ == Connection::Phase::over)
      connection_.work_.message.give_up(*this);
    connection_.job_done([this] { connection_.work_.message.job_done(*this); });
  }

  Ticket ticket;
  deliver::MessageId id;
  MessageSlot slot;  // of a message that is not the session's meanwhile

 private:
  Connection& connection_;
  std::shared_ptr<deliver::DeliveryThreads> delivery_;  // outlives the message
};

Client& ClientMessage::client() { return connection_.client_; }

const engine::Session& ClientMessage::session() const { return connection_.talk_.conversation().session(); }

// Where there is no transaction with a recipient the policy refuses DATA anyway.
bool ClientMessage::reserve() {
  if (!session().guards().has(bit::transaction_rcpt) || client().served->delivery->keeps_nothing()) return true;
  try {
    message_ = make();
  } catch (const std::bad_alloc&) {
    client().journal().trouble("no memory for another message");
  }
  return message_ != nullptr;
}

std::unique_ptr<ClientMessage::InHand> ClientMessage::make() {
  LoopContext& context = client().context;
  const auto lacks = [this](std::string_view sentence) {
    client().journal().trouble(sentence);
    return nullptr;
  };
  if (connection_.jobs_ >= most_jobs)
    return lacks("no room for another message: threads are busy with messages that this session gave up");
  MessageSlot slot = context.slots.take();
  if (!slot.is_taken()) return lacks("no descriptor for another message: raise ulimit -n, or LimitNOFILE=");
  if (!context.has_memory())
    return lacks("no memory for another message: raise ulimit -v, or the memory of the machine");
  auto message = std::make_unique<InHand>();
  message->slot = std::move(slot);
  message->id = context.message_ids.next(std::time(nullptr));
  message->outgoing = client().served->delivery->open(client().facts(connection_.talk_.stream.socket()).environment);
  if (deliver::FilteredMessage* const filtered = message->outgoing->for_filters()) filtered->introduce(introduction());
  // RFC 7208 9.1: what policy services say stands above our own Received.
  const std::string fields =
      std::string(connection_.work_.header_fields()) + deliver::received_field(trace_facts(), message->id);
  const std::string lack = message->outgoing->begin(message->id, fields, session().envelope().reverse_path());
  if (!lack.empty()) return lacks(lack);
  return message;
}

deliver::TraceFacts ClientMessage::trace_facts() {
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

deliver::Introduction ClientMessage::introduction() {
  const int socket = connection_.talk_.stream.socket();
  const loop::Channel& channel = connection_.talk_.stream.channel();
  const config::Start& start = client().served->start;
  const base::Environment& environment = client().facts(socket).environment;
  const base::Endpoint &remote = client().remote, &local = client().local(socket);
  return {.client = {.address = std::string(write(remote.address).view()),
                     .port = std::to_string(remote.port),
                     .name = client().confirmed_name == nullptr ? std::string()
                                                                : std::string(client().confirmed_name->name()),
                     .helo = std::string(session().client_name()),
                     .user = ask::authenticated_user(session(), environment),
                     .tls_version = std::string(channel.tls_version()),
                     .tls_cipher = std::string(channel.tls_cipher()),
                     .server_address = std::string(write(local.address).view()),
                     .server_port = std::to_string(local.port)},
          .reverse_path_parameters = deliver::parameters_of(session().envelope()),
          .host = std::string(config::host_name(start)),
          .book = &client().context.questions};
}

// A message that does not fit into memory is forgotten: at its end hand_over() finds none, and defers it.
std::span<char> ClientMessage::room_for_mail_data(std::size_t octets, std::span<char> scratch) try {
  if (message_ == nullptr) return scratch;
  const std::span<char> room = message_->buffer.room(octets);
  return room.empty() ? scratch : room;
} catch (const std::bad_alloc&) {
  drop();
  return scratch;
}

void ClientMessage::keep(std::string_view mail_data) try {
  if (message_ == nullptr) return;
  message_->buffer.append(mail_data);
  if (message_->is_away && is_full(message_->buffer)) message_->job_began = engine_time(client().context.loop.now());
} catch (const std::bad_alloc&) {
  drop();
}

void ClientMessage::append_if_full() try {
  if (message_ != nullptr && !message_->is_away && is_full(message_->buffer)) submit(Goal::append, Ticket::none);
} catch (const std::bad_alloc&) {
  drop();
}

bool ClientMessage::holds_up_client() const {
  return message_ != nullptr && message_->is_away && message_->whole == Ticket::none && is_full(message_->buffer);
}

void ClientMessage::hand_over(Ticket ticket) {
  if (client().served->delivery->keeps_nothing()) return handed_over(ticket, deliver::discarded());
  if (message_ == nullptr)
    return handed_over(ticket, deferred("there was no memory for the message, or no thread to write it in time"));
  if (!message_->is_away) return finish(ticket);
  message_->job_began = engine_time(client().context.loop.now());
  message_->whole = ticket;
  connection_.awaited_ = ticket;
}

void ClientMessage::finish(Ticket ticket) {
  const deliver::MessageId id = message_->id;
  if (is_client_gone()) {
    drop();
    return handed_over(ticket, deliver::withdrawn(), id);
  }
  try {
    return submit(Goal::finish, ticket);
  } catch (const std::bad_alloc&) {
    message_.reset();
  }
  handed_over(ticket, deferred("no memory to hand over a message"), id);
}

// What is away is given up when it is back.
void ClientMessage::drop() {
  if (message_ == nullptr || message_->finishing != nullptr) return;
  try {
    if (message_->has_been_away && !message_->is_away) return submit(Goal::abandon, Ticket::none);
  } catch (const std::bad_alloc&) {
    message_.reset();  // here, though it may wait for a disk
    return;
  }
  message_.reset();
}

// It takes the memory that it needs first: when there is none, the message is as it was.
void ClientMessage::submit(Goal goal, Ticket ticket) {
  if (goal != Goal::abandon) connection_.talk_.keep_workspace();
  auto job = std::make_unique<StoreJobOfClient>(connection_, goal, ticket);
  if (goal == Goal::finish) job->envelope = session().envelope().octets();
  job->id = message_->id;
  job->message = std::move(message_->outgoing);
  job->buffer = std::exchange(message_->buffer, std::exchange(message_->spare, {}));
  if (goal == Goal::finish) {
    if (message_->whole == Ticket::none) message_->job_began = engine_time(client().context.loop.now());
    message_->finishing = job.get();
    connection_.awaited_ = ticket;
  } else {
    job->slot = std::move(message_->slot);
    message_->is_away = message_->has_been_away = true;
  }
  if (goal == Goal::abandon) message_.reset();
  ++connection_.jobs_;
  client().served->delivery->submit(std::move(job));
}

// It was dropped while it was away. To close its file may wait for a disk, so that is not done here.
void ClientMessage::give_up(StoreJobOfClient& job) try {
  auto next = std::make_unique<StoreJobOfClient>(connection_, Goal::abandon, Ticket::none);
  next->message = std::move(job.message);
  next->slot = std::move(job.slot);
  ++connection_.jobs_;
  client().served->delivery->submit(std::move(next));
} catch (const std::bad_alloc&) {
  job.message.reset();  // then here all the same
}

void ClientMessage::job_done(StoreJobOfClient& job) {
  switch (job.goal()) {
    case Goal::append: return appended(job);
    case Goal::finish: return finished(job);
    case Goal::abandon: return;
  }
}

void ClientMessage::appended(StoreJobOfClient& job) {
  if (message_ == nullptr || message_->id.number != job.id.number) return give_up(job);
  const bool held_up_client = holds_up_client();
  message_->outgoing = std::move(job.message);
  message_->slot = std::move(job.slot);
  message_->spare = std::move(job.buffer);  // empty: its memory is used again
  message_->is_away = false;
  const engine::Time now = engine_time(client().context.loop.now());
  if (held_up_client) connection_.talk_.conversation().begin_patience(now, now - message_->job_began);
  const Ticket whole = message_->whole;
  if (job.has_failed) drop();
  if (whole == Ticket::none) return append_if_full();
  connection_.awaited_ = Ticket::none;
  hand_over(whole);
}

void ClientMessage::finished(StoreJobOfClient& job) {
  if (message_ == nullptr || message_->finishing != &job) return;  // it had left the line
  connection_.awaited_ = Ticket::none;
  // A message that was withdrawn was not handed over.
  if (job.outcome.result != Outcome::Result::client_gone)
    client().context.metrics.took(observe::Duration::hand_over,
                                  loop_interval(engine_time(client().context.loop.now()) - message_->job_began));
  message_.reset();
  if (job.judgement.is_quarantined && engine::is_accepted(job.outcome.result)) client().context.metrics.quarantined();
  for (const filter::Remark& remark : job.judgement.remarks) client().journal().filtered(job.id, remark);
  handed_over(job.ticket, deliver::named_after(job.judgement, std::move(job.outcome)), job.id,
              deliver::decided_by(job.judgement, observe::way_out_of(client().served->start.hand_over)));
}

engine::Time ClientMessage::end_of_line() const {
  if (holds_up_client()) return message_->job_began + longest_piece_wait;
  const bool is_whole = message_ != nullptr && (message_->finishing != nullptr || message_->whole != Ticket::none);
  return is_whole && !message_->has_turn ? message_->job_began + longest_line : engine::never;
}

// Once its turn has come nobody but who stores it knows what becomes of it. Before that it may be deferred, and the job
// that is still in line finds that it was withdrawn.
bool ClientMessage::has_left_line() {
  if (engine_time(client().context.loop.now()) < end_of_line()) return false;
  if (holds_up_client()) {
    give_up_held_up();
    return true;
  }
  StoreJobOfClient* const job = message_->finishing;
  message_->has_turn = job != nullptr && !job->withdraw();
  if (message_->has_turn) return false;
  const Ticket ticket = job == nullptr ? message_->whole : job->ticket;
  const deliver::MessageId id = message_->id;
  if (job != nullptr) job->slot = std::move(message_->slot);
  message_.reset();
  connection_.awaited_ = Ticket::none;
  static_assert(spec::max_whole_message_wait_seconds == 300);
  handed_over(ticket, deferred("its turn did not come in 300 seconds: hand_overs is too small, or they are too slow"),
              id);
  return true;
}

// The rest of it is read and dropped; at its end hand_over() finds none. The time that it waited was not the client's.
void ClientMessage::give_up_held_up() {
  static_assert(spec::max_piece_wait_seconds == 150);
  client().journal().trouble("a message is given up: a piece of it waited for a thread or a disk for 150 seconds");
  const engine::Time now = engine_time(client().context.loop.now());
  connection_.talk_.conversation().begin_patience(now, now - message_->job_began);
  drop();
}

void ClientMessage::handed_over(Ticket ticket, const Outcome& outcome, deliver::MessageId id,
                                std::string_view said_by) {
  client().journal_of_decisions().message(id, outcome, session());
  client().context.metrics.message(outcome.result, session().stored_octets());
  connection_.work_.tell(ticket, engine::answer_of(outcome.result, outcome.verdict),
                         {.name = said_by, .why = outcome.cause, .id = id});
}

// Looked at only when epoll has reported an end, so that it costs nothing while the client is there.
bool ClientMessage::is_client_gone() {
  const std::string_view ahead = client().context.ahead;
  return connection_.talk_.stream.has_hung_up() &&
         connection_.talk_.stream.channel().has_left(ahead.empty() ? connection_.talk_.unread_tail.octets() : ahead);
}

void ClientMessage::withdraw_if_gone() {
  if (message_ != nullptr && message_->finishing != nullptr && is_client_gone()) message_->finishing->withdraw();
}

}  // namespace postern::server
