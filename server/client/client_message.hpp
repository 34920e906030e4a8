// The message of one client between DATA and its outcome: its octets on their way to a thread that stores or delivers them.
// in      mail data, decoded straight into its buffer; the question of its hand-over; jobs that are done
// out     answers, given to the connection. A message that fits into memory is one job; of a larger one each full piece is,
//         and while a thread writes it the next one is read
// memory  two pieces at most: one that is written, one that grows. Where both are full the client waits
// lives   with its connection, which outlives each job that it begins
// errors  memory that is not there is `no_room` or `deferred`; no trouble becomes `accepted`
// source  lib/deliver/outgoing_message.hpp; deviation D26; docs/decisions/0011-one-delivery.md
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "deliver/delivery_threads.hpp"
#include "deliver/mail_buffer.hpp"
#include "deliver/outgoing_message.hpp"
#include "deliver/received.hpp"
#include "engine/conversation.hpp"
#include "server/capacity.hpp"

namespace postern::server {

class Client;
class Connection;
class StoreJobOfClient;

class ClientMessage {
 public:
  explicit ClientMessage(Connection& connection) : connection_(connection) {}

  [[nodiscard]] Connection& connection() const { return connection_; }
  // Before DATA is answered: what a message wants is there, or the client hears that it is not.
  [[nodiscard]] bool reserve();
  [[nodiscard]] std::span<char> room_for_mail_data(std::size_t octets, std::span<char> scratch);
  void keep(std::string_view mail_data);
  void drop();
  // After a read: a full piece goes to a thread.
  void append_if_full();
  // The thread is slower than the client: no more is read until it has written what it has.
  [[nodiscard]] bool holds_up_client() const;
  void hand_over(engine::Ticket ticket);
  // Deviation D26: the thread that hands the message over looks once more before it begins.
  void withdraw_if_gone();

 private:
  friend class StoreJobOfClient;
  using Goal = deliver::StoreJob::Goal;

  struct InHand {
    MessageSlot slot;
    std::unique_ptr<deliver::OutgoingMessage> outgoing;
    deliver::MailBuffer buffer;                   // that no job has taken yet
    deliver::MailBuffer spare;                    // memory for the next piece
    bool is_away = false;                         // a job has `outgoing` and the slot, and appends
    bool has_been_away = false;                   // it may have a file
    engine::Ticket whole = engine::Ticket::none;  // it is whole, and this question is open
    deliver::StoreJob* finishing = nullptr;
    deliver::MessageId id;
    engine::Time job_began{};  // or the wait for one, of a client that is held up
  };

  [[nodiscard]] std::unique_ptr<InHand> make();
  [[nodiscard]] deliver::TraceFacts trace_facts();
  void finish(engine::Ticket ticket);
  void submit(Goal goal, engine::Ticket ticket);
  void give_up(StoreJobOfClient& job);
  void job_done(StoreJobOfClient& job);
  void appended(StoreJobOfClient& job);
  void finished(StoreJobOfClient& job);
  void handed_over(engine::Ticket ticket, const deliver::Outcome& outcome, deliver::MessageId id = {});
  [[nodiscard]] bool is_client_gone();
  [[nodiscard]] Client& client();
  [[nodiscard]] const engine::Session& session() const;

  Connection& connection_;
  std::unique_ptr<InHand> message_;
};

}  // namespace postern::server
