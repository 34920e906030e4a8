// What a conversation says and asks, done for its client: lines of the log and counts, recipients at once, credentials and
// messages by jobs.
// in      notes, mail data, questions; jobs that are done
// out     answers, given to the connection; between DATA and its outcome a message, of which at most spool_octets are here
// lives   with its connection, which outlives each job that it begins
// errors  memory that is not there is the outcome `unknowable`, `broken`, `no_room` or `deferred` of what wanted it
// source  engine/conversation.hpp; deviations D22, D26
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ask/credentials.hpp"
#include "deliver/delivery_threads.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/received.hpp"
#include "engine/conversation.hpp"
#include "limits/guess_table.hpp"
#include "server/capacity.hpp"

namespace postern::server {

class Client;
class Connection;

class ClientWork {
 public:
  explicit ClientWork(Connection& connection) : connection_(connection) {}

  void note(const engine::Note& note);
  void keep(std::string_view mail_data);
  void drop();
  [[nodiscard]] bool reserve();

  // Answers at once, or begins a job that does.
  void ask(const engine::Want& want);
  // A large message goes to the disk meanwhile, and no more of it is read.
  void spool_if_full();
  [[nodiscard]] bool is_spooling() const {
    return message_ != nullptr && message_->job != nullptr && message_->job->goal() == deliver::StoreJob::Goal::spool;
  }
  // Deviation D26: the thread that hands the message over looks once more before it begins.
  void withdraw_if_gone();

 private:
  friend class CredentialsJob;
  friend class StoreJobOfClient;

  // A message between DATA and its outcome.
  struct Message {
    MessageSlot slot;
    std::unique_ptr<deliver::Parcel> parcel;
    std::string received;  // until the first job
    std::string octets;    // that no job has taken yet
    bool is_begun = false;
    deliver::MessageId id;
    deliver::StoreJob* job = nullptr;  // that has the parcel
    engine::Time job_began{};
  };

  [[nodiscard]] std::unique_ptr<Message> make_message();
  void judge_recipient(engine::Ticket ticket);
  void judge_credentials(engine::Ticket ticket);
  void credentials_judged(engine::Ticket ticket, const ask::CheckResult& result, std::string_view pairs);
  void hand_over(engine::Ticket ticket);
  void handed_over(engine::Ticket ticket, const deliver::Outcome& outcome, deliver::MessageId id = {});
  void submit(deliver::StoreJob::Goal goal, engine::Ticket ticket);
  void stored(engine::Ticket ticket, deliver::StoreJob& job);
  void note_gates(const limits::GateChanges& changes);
  [[nodiscard]] bool is_client_gone();
  [[nodiscard]] deliver::TraceFacts trace_facts();
  [[nodiscard]] Client& client();
  [[nodiscard]] const engine::Session& session() const;

  Connection& connection_;
  std::unique_ptr<Message> message_;
};

}  // namespace postern::server
