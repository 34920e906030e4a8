// Mail data of one message on its way from the socket to its file: decoded straight into it, and handed on in large pieces.
// in      room(): where to decode; append(): what lies there already is only counted, anything else is copied
// out     octets(): all of it, in one piece
// memory  grows with what comes, up to full_octets: then it must be emptied first, unless append() has to take it anyway
// errors  std::bad_alloc, from room() and append(): it holds what it held
// source  docs/decisions/0011-one-delivery.md
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace postern::deliver {

class MailBuffer {
 public:
  static constexpr std::size_t read_octets = std::size_t{64} * 1024;  // that one read of a socket brings at most
  static constexpr std::size_t decode_octets = 2;                     // more than that is what decoding may want
  static constexpr std::size_t full_octets = 2 * read_octets + decode_octets;

  // A place for `octets` more, or nothing where it would have to grow beyond full_octets.
  [[nodiscard]] std::span<char> room(std::size_t octets);
  [[nodiscard]] bool has_room(std::size_t octets) const { return size_ + octets <= full_octets; }
  void append(std::string_view octets);
  [[nodiscard]] std::string_view octets() const { return {memory_.get(), size_}; }
  [[nodiscard]] bool is_empty() const { return size_ == 0; }
  void clear() { size_ = 0; }  // the memory stays for what comes next

 private:
  // What it held before, as long as it is in use.
  std::unique_ptr<char[]> grow(std::size_t least);

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace postern::deliver
