#include "server/client/client_policy.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "ask/auth_environment.hpp"
#include "server/client/connection.hpp"

namespace postern::server {

using engine::Ticket;

Client& ClientPolicy::client() const { return connection_.client_; }

const engine::Session& ClientPolicy::session() const { return connection_.talk_.conversation().session(); }

ask::PolicyClient ClientPolicy::facts() const {
  const int socket = connection_.talk_.stream.socket();
  const loop::Channel& channel = connection_.talk_.stream.channel();
  const auto& message = connection_.work_.message.message_;  // at DATA
  const base::Endpoint &remote = client().remote, &local = client().local(socket);
  return {.address = std::string(write(remote.address).view()),
          .port = std::to_string(remote.port),
          .host = client().confirmed_name == nullptr ? std::string() : std::string(client().confirmed_name->name()),
          .has_confirmed_host = true,
          .server_address = std::string(write(local.address).view()),
          .server_port = std::to_string(local.port),
          .tls_version = std::string(channel.tls_version()),
          .tls_cipher = std::string(channel.tls_cipher()),
          .session = client().context.find_policy_pools().name_of(client().number),
          .user = ask::authenticated_user(session(), client().facts(socket).environment),
          .message_id = message == nullptr ? std::string() : message->id.text()};
}

void ClientPolicy::ask(const engine::Want& want, const engine::Answer& found) {
  ticket_ = want.ticket;
  open_ = want.question;
  has_run_out_ = false;
  end_ = end_of_all();
  try {
    inquiry_.emplace(client().served->start, session(), found, facts(), memory_);
    connection_.talk_.keep_workspace();
    submit_next();
  } catch (const std::bad_alloc&) {
    has_run_out_ = true;
  }
  if (!is_asking_) return tell();
  ++connection_.jobs_;
  connection_.awaited_ = ticket_;
}

// Before the question is given up: who has asked others before has less.
base::Time ClientPolicy::end_of_all() const {
  constexpr base::Interval most = std::chrono::seconds(spec::max_policy_seconds), ahead = std::chrono::seconds(1);
  const base::Time now = client().context.loop.now();
  const base::Interval left = loop_interval(connection_.talk_.conversation().deadline() - engine_time(now)) - ahead;
  return now + std::clamp(left, base::Interval::zero(), most);
}

void ClientPolicy::submit_next() {
  const base::Time now = client().context.loop.now();
  while (const config::PolicyService* const service = inquiry_->next()) {
    std::optional<base::StreamFailure> failure{{.kind = base::StreamFailure::Kind::timed_out}};
    question_ = ask::OpenQuestion(&client().context.questions, ask::Source::policy_service, service->text);
    const base::Time share = base::end_of_share(now, end_, inquiry_->still_to_ask());
    if (now < share) failure = client().context.find_policy_pools().of(service->address).submit(*this, share - now);
    is_asking_ = !failure;
    if (is_asking_) return;
    hear({.trouble = ask::policy_trouble(*failure)});
  }
}

void ClientPolicy::hear(ask::PolicyAnswer answer) {
  question_.end(outcome_of(answer));
  inquiry_->hear(std::move(answer));
}

void ClientPolicy::begin(ask::PolicyConversation& conversation, base::Time now) {
  conversation.begin(inquiry_->request(), now);
}

void ClientPolicy::ended(ask::PolicyConversation& conversation) {
  go_on([&] { hear(conversation.take_answer()); });
}

void ClientPolicy::failed(const base::StreamFailure& failure) {
  go_on([&] { hear({.trouble = ask::policy_trouble(failure)}); });
}

template <typename Hear>
void ClientPolicy::go_on(Hear hear) {
  is_asking_ = false;
  try {
    hear();
    submit_next();
  } catch (const std::bad_alloc&) {
    has_run_out_ = true;
  }
  if (is_asking_) return;
  connection_.job_done([this] {
    if (connection_.awaited_ == ticket_) tell();
  });
}

void ClientPolicy::withdraw() {
  if (!std::exchange(is_asking_, false)) return;
  question_.end(ask::Outcome::abandoned);
  OutboundRequest::withdraw();
  --connection_.jobs_;
}

void ClientPolicy::tell() {
  connection_.awaited_ = Ticket::none;
  if (has_run_out_) {
    client().journal().trouble(no_memory_for_policy_services);
    return connection_.work_.tell(ticket_, engine::nobody_answers(open_), {.why = no_memory_for_policy_services});
  }
  for (const ask::PolicyRemark& remark : inquiry_->remarks()) client().journal().policy(remark, inquiry_->recipient());
  if (!fields_.add(session().transactions(), inquiry_->header_fields()))
    client().journal().trouble(
        "policy services want more header fields than one message gets: the last ones are left out");
  if (connection_.work_.is_too_late()) return connection_.work_.tell_too_many(ticket_);
  const auto& message = connection_.work_.message.message_;  // at DATA
  connection_.work_.tell(ticket_, inquiry_->answer(),
                         {.name = inquiry_->said_by(),
                          .why = inquiry_->why(),
                          .id = message == nullptr ? deliver::MessageId{} : message->id});
}

}  // namespace postern::server
