// One who knows the mailboxes, Dovecot's userdb or the mail cluster, about one recipient of a client on a loop; the loop never waits
// for it.
// in      whom to ask (ask/recipient_probe.hpp); the ticket of a question about a recipient that all before would take
// out     what it comes to, given to the client's work, which goes on with the next one; trouble is a line of the log
// lives   until it has heard; the connection outlives it
// bounds  spec::max_probe_seconds
// errors  recipient_unknowable; so is lack of memory
// source  docs/decisions/0021-ask-the-mail-cluster.md, 0024-ask-dovecot.md
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ask/open_question.hpp"
#include "engine/question.hpp"
#include "server/recipient_lookups.hpp"

namespace postern::server {

class Connection;
struct ServiceProfile;

class ClientProbe final : public RecipientAsker {
 public:
  // Where nothing has to be waited for, the answer is given at once.
  static void ask(Connection& connection, ask::Source source, engine::Ticket ticket, std::string_view recipient);

  ClientProbe(Connection& connection, ask::Source source, engine::Ticket ticket, std::string_view recipient);

  void hear(const limits::RecipientStanding& standing) override;

 private:
  // None: it is asked.
  [[nodiscard]] static std::optional<limits::RecipientStanding> submit(Connection& connection, ask::Source source,
                                                                       engine::Ticket ticket,
                                                                       std::string_view recipient);

  Connection& connection_;
  std::shared_ptr<const ServiceProfile> profile_;  // of the one that is asked
  ask::Source source_;
  engine::Ticket ticket_;
  std::string recipient_;
  ask::OpenQuestion question_;  // not of an answer that was known
};

}  // namespace postern::server
