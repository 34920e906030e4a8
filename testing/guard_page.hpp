// Octets between two unreadable pages: code that reads one octet too many dies at once.
// in      text to be copied, at most `capacity` octets
// out     the copy, ending at the page after it or beginning at the page before it; lives until the next call
// errors  std::abort when the kernel gives no pages
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

namespace postern::testing {

class GuardedOctets {
 public:
  explicit GuardedOctets(std::size_t capacity)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), size_((capacity + page_ - 1) / page_ * page_) {
    void* const pages = mmap(nullptr, size_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    pages_ = static_cast<char*>(pages);
    if (mprotect(pages_ + page_, size_, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  ~GuardedOctets() { munmap(pages_, size_ + 2 * page_); }
  GuardedOctets(const GuardedOctets&) = delete;
  GuardedOctets& operator=(const GuardedOctets&) = delete;

  [[nodiscard]] std::string_view before_guard(std::string_view text) {
    const std::span<char> space = space_before_guard(text.size());
    if (!text.empty()) std::memcpy(space.data(), text.data(), text.size());
    return {space.data(), space.size()};
  }
  [[nodiscard]] std::string_view after_guard(std::string_view text) {
    if (!text.empty()) std::memcpy(pages_ + page_, text.data(), text.size());
    return {pages_ + page_, text.size()};
  }
  [[nodiscard]] std::span<char> space_before_guard(std::size_t octets) {
    if (octets > size_) std::abort();
    return {pages_ + page_ + size_ - octets, octets};
  }

 private:
  std::size_t page_;
  std::size_t size_;
  char* pages_;
};

}  // namespace postern::testing
