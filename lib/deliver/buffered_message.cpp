#include "deliver/buffered_message.hpp"

namespace postern::deliver {

std::string BufferedMessage::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  is_begun_ = true;  // and to be abandoned, whatever the result
  return next_.begin(id, received, reverse_path);
}

std::span<char> BufferedMessage::room(std::size_t octets) {
  if (!buffer_.has_room(octets)) {
    next_.append(buffer_.octets());
    buffer_.clear();
  }
  return buffer_.room(octets);
}

Outcome BufferedMessage::finish(std::string_view envelope_octets) {
  Outcome outcome = next_.finish(buffer_.octets(), envelope_octets);
  buffer_.clear();
  is_begun_ = false;
  return outcome;
}

void BufferedMessage::abandon() {
  if (is_begun_) next_.abandon();
  buffer_.clear();
  is_begun_ = false;
}

}  // namespace postern::deliver
