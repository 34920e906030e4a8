#include "deliver/mail_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace postern::deliver {
namespace {

constexpr std::size_t least_octets = std::size_t{4} * 1024;

}  // namespace

std::span<char> MailBuffer::room(std::size_t octets) {
  if (!has_room(octets)) return {};
  if (size_ + octets > capacity_) static_cast<void>(grow(size_ + octets));
  return {memory_.get() + size_, capacity_ - size_};
}

void MailBuffer::append(std::string_view octets) {
  if (octets.empty()) return;
  if (memory_ == nullptr || octets.data() != memory_.get() + size_) {
    std::unique_ptr<char[]> before;
    if (size_ + octets.size() > capacity_) before = grow(size_ + octets.size());
    std::memmove(memory_.get() + size_, octets.data(), octets.size());
  }
  size_ += octets.size();
}

// A client that sends much at once sends more: it gets the whole room then, and nothing is copied again.
std::unique_ptr<char[]> MailBuffer::grow(std::size_t least) {
  const std::size_t wanted = std::max({least, least_octets, capacity_ * 4});
  const std::size_t capacity = wanted > full_octets / 4 ? std::max(least, full_octets) : wanted;
  auto memory = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ != 0) std::memcpy(memory.get(), memory_.get(), size_);
  std::swap(memory_, memory);
  capacity_ = capacity;
  return memory;
}

}  // namespace postern::deliver
