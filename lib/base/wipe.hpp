// Storage for octets that must not be found later: passwords and what holds them.
// out     wipe() overwrites; SecretBuffer wipes itself when it dies
// errors  append() refuses what does not fit whole; allocates nothing
// source  RFC 4954 9; docs/operating.md
#pragma once

#include <string.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace postern::base {

// The compiler may not leave this out, as it may a memset before the end of a life.
inline void wipe(std::span<char> octets) { ::explicit_bzero(octets.data(), octets.size()); }

template <std::size_t capacity>
class SecretBuffer {
 public:
  SecretBuffer() = default;
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer() { wipe(std::span(octets_.data(), size_)); }

  // Adds `text` and a NUL, or nothing.
  [[nodiscard]] bool append_terminated(std::string_view text) {
    if (text.size() >= capacity - size_) return false;
    text.copy(octets_.data() + size_, text.size());
    size_ += text.size();
    octets_[size_++] = '\0';
    return true;
  }
  [[nodiscard]] std::string_view text() const { return {octets_.data(), size_}; }
  [[nodiscard]] const char* c_str() const { return octets_.data(); }

 private:
  std::array<char, capacity> octets_;  // only what was appended has ever been written, and is wiped
  std::size_t size_ = 0;
};

}  // namespace postern::base
