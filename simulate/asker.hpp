// The askers of one session: what they answer, when, and what they do that may not count.
// in      the Want of a question; the outcome of a commit
// out     an answer() that is ahead on the agenda; deliver() gives it; misbehave(), report_late() what may not count
// judged  a ticket is new; credentials are the client's own; a message is what the client sent
// source  engine/question.hpp
#pragma once

#include <cstdint>

#include "deliver/outgoing_message.hpp"
#include "simulate/client.hpp"
#include "simulate/watched.hpp"

namespace postern::simulate {

class Asker {
 public:
  Asker(Stage& stage, Seat seat, const Client& client, Storage& storage)
      : stage_(stage), seat_(seat), client_(client), storage_(storage) {}

  void ask(Watched& watched);
  void learn(const deliver::Outcome& outcome);
  void withdraw();
  void filter();  // it is shown to one, which takes it out of the line
  void deliver(Watched& watched);
  // While a question is open: an answer of an earlier one, one of another question, an event, octets, a moment.
  void misbehave(Watched& watched, std::span<char> unread) const;
  // An answer that comes again, or when nothing waits for it any more.
  void report_late(Watched& watched, engine::Ticket ticket) const;
  // The session ends: a message that was handed over and is not answered may be there or not.
  void end(const Watched& watched);
  // The tickets of another conversation restart.
  void begin_again() { ticket_ = engine::Ticket::none; }

 private:
  void ask_recipient(const engine::Session& session);
  void ask_message();
  void ask_credentials(const engine::Session& session);
  void log_submit(const Mail& mail);
  void ask_hand_over(const engine::Session& session);
  void promise(spec::Event event);

  Stage& stage_;
  Seat seat_;
  const Client& client_;
  Storage& storage_;
  engine::Ticket ticket_ = engine::Ticket::none;  // the last one
  spec::Event event_{};                           // the answer to it; its text is in the storage
  std::uint32_t mail_ = ~0U;                      // that was handed over
};

}  // namespace postern::simulate
