// A message that comes in small pieces, for a blocking caller: gathered in memory, and passed on in large ones.
// in      as OutgoingMessage; room() for mail data that is decoded straight into its place
// lives   `next` outlives it
// errors  as OutgoingMessage
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "deliver/mail_buffer.hpp"
#include "deliver/outgoing_message.hpp"

namespace postern::deliver {

class BufferedMessage {
 public:
  explicit BufferedMessage(OutgoingMessage& next) : next_(next) {}

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path);
  [[nodiscard]] bool is_begun() const { return is_begun_; }
  // So many octets at least. Only while it is begun, like append().
  [[nodiscard]] std::span<char> room(std::size_t octets);
  void append(std::string_view octets) { buffer_.append(octets); }
  [[nodiscard]] Outcome finish(std::string_view envelope_octets);
  void abandon();  // which it may be at any time

 private:
  OutgoingMessage& next_;
  MailBuffer buffer_;  // what was not handed on yet
  bool is_begun_ = false;
};

}  // namespace postern::deliver
