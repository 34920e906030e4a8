// What a client has sent and is not read yet, between two turns: half a line, or what came after work that waits.
// in      the unread octets
// out     the same, in front of the loop's buffer, once
// cost    memory only while there is something; it is overwritten before it is given back: half a line may be half
//         a password
#pragma once

#include <string.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace postern::loop {

class UnreadTail {
 public:
  UnreadTail() = default;
  UnreadTail(const UnreadTail&) = delete;
  UnreadTail& operator=(const UnreadTail&) = delete;
  ~UnreadTail() { wipe(); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view octets() const { return {octets_.get(), size_}; }

  void keep(std::span<const char> octets) {
    if (octets.empty()) return;
    octets_ = std::make_unique_for_overwrite<char[]>(octets.size());
    size_ = octets.size();
    std::copy(octets.begin(), octets.end(), octets_.get());
  }

  // How many octets there were.
  [[nodiscard]] std::size_t take_into(std::span<char> room) {
    const std::size_t taken = size_;
    std::copy_n(octets_.get(), taken, room.begin());
    wipe();
    return taken;
  }

 private:
  void wipe() {
    if (octets_ != nullptr) explicit_bzero(octets_.get(), size_);
    octets_.reset();
    size_ = 0;
  }

  std::unique_ptr<char[]> octets_;
  std::size_t size_ = 0;
};

}  // namespace postern::loop
