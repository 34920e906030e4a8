// What a conversation says and asks, done for its client: lines of the log and counts, recipients by lists at once, by folders
// and programs by jobs, credentials by jobs, its message.
// in      notes, questions; jobs that are done
// out     answers, given to the connection
// lives   with its connection, which outlives each job that it begins
// errors  lack of memory is the outcome `unknowable` or `broken` of what needed it
// source  engine/conversation.hpp; deviation D22
#pragma once

#include <memory>
#include <string_view>

#include "ask/inquiry.hpp"
#include "engine/conversation.hpp"
#include "limits/guess_table.hpp"
#include "observe/journal.hpp"
#include "server/client/client_message.hpp"
#include "server/client/client_policy.hpp"
#include "server/client/client_probe.hpp"
#include "server/client/domain_lists.hpp"

namespace postern::server {

class Client;
class Connection;

inline constexpr std::string_view no_memory_for_policy_services = "no memory to ask policy services";

class ClientWork {
 public:
  explicit ClientWork(Connection& connection) : message(connection) {}

  void note(const engine::Note& note);
  // The connection has them. Only where a session of this loop is traced.
  void note_sent(std::string_view replies);
  // Answers at once, or begins a job that does.
  void ask(const engine::Want& want);
  // The open question is to be asked again when DNS lists have answered, and no job looks for an answer.
  [[nodiscard]] bool waits_for_dns_lists();
  void hear_dns_lists();
  // Whether the time of the open question is over. An answer that comes after it is ignored.
  [[nodiscard]] bool gives_up_question();
  // The server ends: what is open about a recipient or a password is answered as by nobody, since 421 comes next anyway.
  void end_question();
  // The session is over.
  void withdraw();

  // said_by   whose word it is, for the line of a refusal
  void tell(engine::Ticket ticket, const engine::Answer& answer, const observe::RefusedBy& said_by);
  void tell_too_many(engine::Ticket ticket);

  // Whether the gate of who asks for recipients was shut while this client waited for an answer.
  [[nodiscard]] bool is_too_late();
  // What policy services want before the message of this transaction.
  [[nodiscard]] std::string_view header_fields() const;
  // What one who knows the mailboxes says of the recipient of the open question.
  void hear_probe(ask::Source source, engine::Ticket ticket, const limits::RecipientStanding& standing,
                  std::string_view recipient);

  ClientMessage message;

 private:
  friend class InquiryJob;
  friend class ClientFacts;

  void give_up_question(std::string_view why);
  void ask_on_a_thread(engine::Ticket ticket, std::unique_ptr<ask::Inquiry> inquiry);
  void found(engine::Ticket ticket, const ask::Finding& finding);
  [[nodiscard]] engine::Answer within_limits(const engine::Answer& answer);
  // What is found about a recipient by everyone but policy services.
  void settle(engine::Ticket ticket, const ask::Finding& finding, bool was_awaited);
  void ask_policy_services(const engine::Answer& found);
  void note_late(const ask::Finding& finding);
  void take_credentials(const ask::CheckResult& result, std::string_view pairs);
  [[nodiscard]] Client& client();
  [[nodiscard]] const engine::Session& session() const;
  [[nodiscard]] Connection& connection() const { return message.connection(); }

  // What lists say of the client, and of what it names.
  [[nodiscard]] ask::DnsStanding dns_standing(ask::Waits waits);

  // Who is asked about its transactions.
  struct Asked {
    explicit Asked(Connection& connection) : policy(connection), domain_lists(connection) {}
    ClientPolicy policy;
    DomainLists domain_lists;
  };
  std::unique_ptr<Asked> asked_;  // null: nobody was
};

}  // namespace postern::server
