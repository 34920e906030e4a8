#include "server/client/client_probe.hpp"

#include <new>
#include <utility>

#include "ask/recipient_probe.hpp"
#include "server/client/connection.hpp"

namespace postern::server {

using ask::Source;
using engine::Ticket;
using limits::RecipientStanding;

ClientProbe::ClientProbe(Connection& connection, Source source, Ticket ticket, std::string_view recipient)
    : connection_(connection),
      profile_(connection.client_.served),
      source_(source),
      ticket_(ticket),
      recipient_(recipient) {}

void ClientProbe::ask(Connection& connection, Source source, Ticket ticket, std::string_view recipient) {
  std::optional<RecipientStanding> standing;
  try {
    standing = submit(connection, source, ticket, recipient);
  } catch (const std::bad_alloc&) {
    standing.emplace();
    connection.client_.journal().trouble("no memory to ask who has a mailbox");
  }
  if (standing) return connection.work_.hear_probe(source, ticket, *standing, recipient);
  ++connection.jobs_;
  connection.awaited_ = ticket;
}

std::optional<RecipientStanding> ClientProbe::submit(Connection& connection, Source source, Ticket ticket,
                                                     std::string_view recipient) {
  const Client& client = connection.client_;
  LoopContext& context = client.context;
  connection.talk_.keep_workspace();
  auto made = std::make_unique<ClientProbe>(connection, source, ticket, recipient);
  ClientProbe& asked = *made;
  std::unique_ptr<RecipientAsker> probe = std::move(made);
  auto standing =
      source == Source::userdb
          ? context.find_userdb_lookups().ask(context.userdbs.of(*client.served->start.userdb), recipient, probe)
          : context.find_recipient_probes().ask(*client.served->delivery->cluster(), recipient, probe);
  const bool is_remembered = standing && standing->is_known();
  if (is_remembered) return standing;
  ask::OpenQuestion question(&context.questions, source, ask::address_of_probe(source, client.served->start));
  if (standing)  // it could not even be asked
    question.end(ask::outcome_of(*standing));
  else
    asked.question_ = std::move(question);
  return standing;
}

void ClientProbe::hear(const RecipientStanding& standing) {
  question_.end(ask::outcome_of(standing));
  connection_.job_done([&] {
    if (connection_.awaited_ == ticket_) connection_.work_.hear_probe(source_, ticket_, standing, recipient_);
  });
}

}  // namespace postern::server
