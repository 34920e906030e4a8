// A message on its way out, between DATA and its outcome: whole or not at all.
// in      begin, append as often as there is a piece, then finish or abandon; after either, begin again. Mail data: lines end
//         with LF, transparency is undone
// out     Outcome: what the reply says. `accepted` means that the next system is now responsible for the message
// lives   no view is kept beyond the call it came with
// errors  trouble in begin or append is remembered and reported by finish, and that of begin by begin too; never a silent loss.
//         std::bad_alloc, from any call: then abandon
// source  RFC 5321 4.1.1.4, 4.2.5, 6.1; qmail-queue(8)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "deliver/message_id.hpp"
#include "engine/question.hpp"

namespace postern::deliver {

struct Outcome {
  using Result = engine::HandOverResult;
  Result result;
  std::string verdict;  // what {verdict} becomes in the reply: printable ASCII, at most spec::max_verdict_octets
  std::string cause{};  // for the log and not for the client: "EACCES: example.com/user"; often empty
};

// Of a discarded message (POSTERN_DISCARD): "1700000000 discarded".
[[nodiscard]] Outcome discarded();

// Of a message whose client has left before anything began to make it durable.
[[nodiscard]] Outcome withdrawn();

class FilteredMessage;
class Lmtp;
class MaildirGroup;

class OutgoingMessage {
 public:
  OutgoingMessage() = default;
  OutgoingMessage(const OutgoingMessage&) = delete;
  OutgoingMessage& operator=(const OutgoingMessage&) = delete;
  virtual ~OutgoingMessage() = default;  // abandons what was not finished

  // id            of the message: what an accepted one is answered with, where nothing else gives it a number
  // Why there is no room for this message, for the log: then the client gets 451 before it sends. Empty: it has begun.
  // received      the whole Received: field, which goes first
  // reverse_path  without angle brackets; empty for the null reverse-path. Only a final delivery needs it
  virtual std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) = 0;

  // A piece of a message that is too large for memory: it may wait for a disk or a program.
  virtual void append(std::string_view octets) = 0;

  // octets            the last piece, often the whole message
  // envelope_octets   "Freverse-path\0Tforward-path\0Tforward-path\0\0", as qmail-queue reads it
  [[nodiscard]] virtual Outcome finish(std::string_view octets, std::string_view envelope_octets) = 0;

  // The same together with others, where its Delivery makes groups: the views live, and `outcome` is there, until the group
  // has finished.
  virtual void finish_in(MaildirGroup&, std::string_view octets, std::string_view envelope_octets, Outcome& outcome) {
    outcome = finish(octets, envelope_octets);
  }

  // Itself, where an event loop may hand it over to a mail cluster; null elsewhere.
  [[nodiscard]] virtual Lmtp* for_cluster() { return nullptr; }

  // Itself, where filters judge it before it is handed over; null elsewhere.
  [[nodiscard]] virtual FilteredMessage* for_filters() { return nullptr; }

  // Leaves nothing behind.
  virtual void abandon() = 0;
};

}  // namespace postern::deliver
