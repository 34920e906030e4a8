// What is to be done with one message next, on a thread of its way out: append to it, finish it, or abandon it.
// in      the message and its octets, from a loop; for a message that is finished its envelope
// out     done() on that loop, with an Outcome when the message was finished
// lives   the message is with its session or in one job, never both
// errors  in the Outcome, as outgoing_message.hpp has it
// source  deviation D26; RFC 1047
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "deliver/filtered_message.hpp"
#include "deliver/mail_buffer.hpp"
#include "deliver/maildir/group.hpp"
#include "deliver/outgoing_message.hpp"
#include "loop/workers.hpp"

namespace postern::deliver {

// What is to be done with one message next: it takes what is in `buffer` first.
class StoreJob : public loop::Job {
 public:
  enum class Goal : std::uint8_t { append, finish, abandon };

  StoreJob(loop::Loop& loop, Goal goal);
  void run() final;
  [[nodiscard]] Goal goal() const { return goal_; }
  // What has not begun to be made durable is not stored: true when it had not. Called on the loop's thread until done().
  bool withdraw();
  // Asked where making durable begins; then the message is forgotten, and `outcome` says so.
  [[nodiscard]] bool forget_if_withdrawn();
  // Asks the filters of its message, on a thread that may wait: true when it is to be finished, with what they have left of it.
  [[nodiscard]] bool judge();
  // Finished by what finishes the group: its outcome is there then.
  void join(MaildirGroup& group);

  std::unique_ptr<OutgoingMessage> message;
  MailBuffer buffer;  // empty after append
  std::string envelope;
  Outcome outcome;              // deferred, until there is another
  filter::Judgement judgement;  // where there are filters
  bool has_failed = false;      // memory ran out in the middle of the octets: the message can only be abandoned

 private:
  void append();
  [[nodiscard]] bool ask_filters(FilteredMessage& message);

  enum class Turn : std::uint8_t { awaited, come, withdrawn };

  Goal goal_;
  std::atomic<Turn> turn_ = Turn::awaited;
};

}  // namespace postern::deliver
