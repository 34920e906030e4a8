// Mail data read whole, line after line, as RFC 5321 tells it: slow, obvious, and no relative of grammar/mail_data.
// in      all octets after the 354 reply, or a first part of them
// out     NaiveMailData
// errors  none
// source  RFC 5321 4.1.1.4, 4.5.2, 6.3
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::testing {

struct NaiveMailData {
  std::string text;          // what is known from the octets seen so far
  std::size_t consumed = 0;  // all, or up to the end of CRLF.CRLF
  bool ended = false;
  bool saw_bare_cr = false;
  bool saw_bare_lf = false;
  bool saw_nul = false;
  std::uint32_t hops = 0;

  bool operator==(const NaiveMailData&) const = default;
};

[[nodiscard]] NaiveMailData read_mail_data(std::string_view octets);

}  // namespace postern::testing
