#include "server/client/client_probe.hpp"

#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "ask/mail_cluster.hpp"
#include "server/client/connection.hpp"

namespace postern::server {

using engine::Ticket;

ClientProbe::ClientProbe(Connection& connection, Ticket ticket, std::string_view recipient)
    : connection_(connection), profile_(connection.client_.served), ticket_(ticket), recipient_(recipient) {}

void ClientProbe::ask(Connection& connection, Ticket ticket, std::string_view recipient) {
  Client& client = connection.client_;
  std::optional<limits::RecipientStanding> standing;
  try {
    connection.talk_.keep_workspace();
    auto made = std::make_unique<ClientProbe>(connection, ticket, recipient);
    ClientProbe& asked = *made;
    std::unique_ptr<RecipientProbes::Asker> probe = std::move(made);
    standing = client.context.find_recipient_probes().ask(*client.served->delivery->cluster(), recipient, probe);
    if (!standing)
      asked.question_ =
          ask::OpenQuestion(&client.context.questions, ask::Source::mail_cluster, client.served->start.hand_over_path);
  } catch (const std::bad_alloc&) {
    standing.emplace();
    client.journal().trouble("no memory to ask the mail cluster");
  }
  if (standing) return connection.work_.hear_mail_cluster(ticket, *standing, recipient);
  ++connection.jobs_;
  connection.awaited_ = ticket;
}

void ClientProbe::hear(const limits::RecipientStanding& standing) {
  question_.end(ask::outcome_of_mail_cluster(standing.event, standing.is_deferred));
  connection_.job_done([&] {
    if (connection_.awaited_ == ticket_) connection_.work_.hear_mail_cluster(ticket_, standing, recipient_);
  });
}

}  // namespace postern::server
