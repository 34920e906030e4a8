// The message of one client between DATA and its outcome: its octets on their way to a thread that stores or delivers them.
// in      mail data, decoded straight into its buffer; the question of its hand-over; jobs that are done
// out     answers, given to the connection. A message that fits into memory is one job; of a larger one each full piece is,
//         and while a thread writes it the next one is read
// memory  two pieces at most: one that is written, one that grows. Where both are full the client waits, and after
//         spec::max_piece_wait_seconds its message is given up: it may send the rest, and gets 451 at its end
// lives   with its connection, which outlives each job that it begins
// errors  lack of memory is `no_room` or `deferred`; no failure becomes `accepted`
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
#include "spec/limits.hpp"

namespace postern::server {

class Client;
class Connection;
class StoreJobOfClient;

class ClientMessage {
 public:
  explicit ClientMessage(Connection& connection) : connection_(connection) {}

  [[nodiscard]] Connection& connection() const { return connection_; }
  // Before DATA is answered: what a message needs is there, or the client gets 451.
  [[nodiscard]] bool reserve();
  [[nodiscard]] std::span<char> room_for_mail_data(std::size_t octets, std::span<char> scratch);
  void keep(std::string_view mail_data);
  void drop();
  // After a read: a full piece goes to a thread.
  void append_if_full();
  // The thread is slower than the client: no more is read until it has written what it has.
  [[nodiscard]] bool holds_up_client() const;
  void hand_over(engine::Ticket ticket);
  // A message that is whole, or a piece of one that holds up the client, waits for its turn, as others are handed over,
  // until then and no longer: never, when its turn has come or there is none.
  [[nodiscard]] engine::Time end_of_line() const;
  // At that time: true when the message is not stored, and its question is answered if it is whole.
  [[nodiscard]] bool has_left_line();
  // Deviation D26: the thread that hands the message over looks once more before it begins.
  void withdraw_if_gone();

 private:
  friend class ClientPolicy;
  friend class ClientWork;  // for the id of what is in hand
  friend class StoreJobOfClient;
  using Goal = deliver::StoreJob::Goal;
  static constexpr engine::Interval longest_line = engine::seconds(spec::max_whole_message_wait_seconds);
  static constexpr engine::Interval longest_piece_wait = engine::seconds(spec::max_piece_wait_seconds);

  struct InHand {
    MessageSlot slot;
    std::unique_ptr<deliver::OutgoingMessage> outgoing;
    deliver::MailBuffer buffer;                   // that no job has taken yet
    deliver::MailBuffer spare;                    // memory for the next piece
    bool is_away = false;                         // a job has `outgoing` and the slot, and appends
    bool has_been_away = false;                   // it may have a file
    engine::Ticket whole = engine::Ticket::none;  // it is whole, and this question is open
    StoreJobOfClient* finishing = nullptr;
    bool has_turn = false;  // a thread makes it durable
    deliver::MessageId id;
    engine::Time job_began{};  // or the wait for one, of a blocked client
  };

  [[nodiscard]] std::unique_ptr<InHand> make();
  [[nodiscard]] deliver::TraceFacts trace_facts();
  void finish(engine::Ticket ticket);
  void submit(Goal goal, engine::Ticket ticket);
  void give_up(StoreJobOfClient& job);
  void give_up_held_up();
  void job_done(StoreJobOfClient& job);
  void appended(StoreJobOfClient& job);
  void finished(StoreJobOfClient& job);
  // said_by   who has decided: the way out, or a filter; empty: it has reached neither
  void handed_over(engine::Ticket ticket, const deliver::Outcome& outcome, deliver::MessageId id = {},
                   std::string_view said_by = {});
  [[nodiscard]] deliver::Introduction introduction();
  [[nodiscard]] bool is_client_gone();
  [[nodiscard]] Client& client();
  [[nodiscard]] const engine::Session& session() const;

  Connection& connection_;
  std::unique_ptr<InHand> message_;
};

}  // namespace postern::server
