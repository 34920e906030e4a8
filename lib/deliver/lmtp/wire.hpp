// Mail data as it goes over the wire to a mail cluster.
// in      a spool, which outlives this and stays as it is
// out     CRLF, dot-stuffing, the final dot; piece by piece, each valid until the next call
// errors  errno of a spool that cannot be read back
// source  RFC 5321 4.5.2 (transparency)
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/mail_spool.hpp"

namespace postern::deliver {

class LmtpWire {
 public:
  explicit LmtpWire(const base::MailSpool& message) : message_(message) {}

  // The next piece, valid until the next call; empty after the final dot.
  [[nodiscard]] std::expected<std::string_view, int> next();

 private:
  void encode(std::string_view octets);

  const base::MailSpool& message_;
  std::uint64_t at_ = 0;
  bool is_at_line_start_ = true;
  bool has_ended_ = false;
  std::string octets_, piece_;
};

}  // namespace postern::deliver
