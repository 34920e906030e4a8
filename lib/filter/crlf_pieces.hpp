// Mail data as a stream of octets with CRLF, in pieces: LF in the spool becomes CRLF, nothing else changes.
// in      a spool that nobody writes to meanwhile
// out     piece(): what is to be sent next, empty at the end; take() moves on. All of it is as long as the spool's wire_octets()
// memory  two pieces of 16 KiB
// errors  has_failed(): the spool could not be read, and the stream ends early
// source  RFC 5322 2.3
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/mail_spool.hpp"

namespace postern::filter {

class CrlfPieces {
 public:
  explicit CrlfPieces(const base::MailSpool& mail) : mail_(&mail) { refill(); }

  [[nodiscard]] std::string_view piece() const { return unsent_; }
  void take(std::size_t octets) {
    unsent_.remove_prefix(octets);
    if (unsent_.empty()) refill();
  }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

 private:
  static constexpr std::size_t piece_octets = std::size_t{16} * 1024;

  void refill();

  const base::MailSpool* mail_;
  std::unique_ptr<char[]> read_ = std::make_unique_for_overwrite<char[]>(piece_octets);
  std::unique_ptr<char[]> written_ = std::make_unique_for_overwrite<char[]>(2 * piece_octets + 2);
  std::uint64_t from_ = 0;
  std::string_view unsent_;
  char last_ = '\n';  // of the spool, as far as it was read
  bool has_failed_ = false;
};

}  // namespace postern::filter
