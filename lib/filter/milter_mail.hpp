// A message as the milter protocol shows it: its header field by field, then its body in chunks.
// in      a spool, which outlives this and stays as it is: lines end with LF
// out     fields, then chunks of the body with CRLF; each is valid until the next call
// header  what header.hpp takes for one, so that a filter counts the fields that its edits are about. A line of mbox before it is
//         not shown
// bounds  a field with its name has at most max_milter_data_octets less two: more fits in no packet
// errors  errno of a spool that cannot be read back; EMSGSIZE: a field, or the header, is too long to be shown
// source  libmilter: xxfi_header, xxfi_body; RFC 5322 2.2, 4.5
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/mail_spool.hpp"
#include "filter/header.hpp"

namespace postern::filter {

struct MilterField {
  std::string_view name{};   // without blanks after it
  std::string_view value{};  // all after the colon; lines divided by LF, no LF at the end
};

class MilterMail {
 public:
  explicit MilterMail(const base::MailSpool& spool) : spool_(spool) {}

  // Nothing: the header has ended.
  [[nodiscard]] std::expected<std::optional<MilterField>, int> next_field();
  // At most max_milter_data_octets; empty: the body has ended. After the header.
  [[nodiscard]] std::expected<std::string_view, int> next_chunk();

 private:
  const base::MailSpool& spool_;
  std::optional<Header> header_;
  std::size_t field_ = 0;   // which is shown next
  std::uint64_t read_ = 0;  // of the spool
  std::string chunk_;       // with what was read beyond it
  std::size_t shown_ = 0;   // of it
};

}  // namespace postern::filter
