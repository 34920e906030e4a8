// The mail cluster about one recipient of a client on a loop; the loop never waits for it.
// in      the ticket of a question about a recipient that all else before policy services would take
// out     what it comes to, given to the client's work, which goes on with policy services; trouble is a line of the log
// lives   until it has heard; the connection outlives it
// bounds  spec::max_probe_seconds
// errors  recipient_unknowable; so is lack of memory
// source  ask/mail_cluster.hpp; docs/decisions/0021-ask-the-mail-cluster.md
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ask/open_question.hpp"
#include "engine/question.hpp"
#include "server/recipient_probes.hpp"

namespace postern::server {

class Connection;
struct ServiceProfile;

class ClientProbe final : public RecipientProbes::Asker {
 public:
  // Where nothing has to be waited for, the answer is given at once.
  static void ask(Connection& connection, engine::Ticket ticket, std::string_view recipient);

  ClientProbe(Connection& connection, engine::Ticket ticket, std::string_view recipient);

  void hear(const limits::RecipientStanding& standing) override;

 private:
  Connection& connection_;
  std::shared_ptr<const ServiceProfile> profile_;  // of the cluster that is asked
  engine::Ticket ticket_;
  std::string recipient_;
  ask::OpenQuestion question_;  // not of an answer that was known
};

}  // namespace postern::server
