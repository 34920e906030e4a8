// The header of one message, taken apart into its fields, edited, and written again.
// in      mail data in a spool; edits of a filter
// out     the header as octets with LF, ready to stand before what followed it. A field that no edit touches is what it was,
//         octet by octet
// what is a header: lines of fields, and lines that begin with a blank after one, until an empty line or the first line that is
//         neither: there the body begins. Readers of mail do not agree on such a line, so it gets an empty line before it, and a first
//         line `From ` or `>From `, as mailboxes of mbox have it, becomes the field X-Mailbox-Line: what filters have judged is what all see
// bounds  spec::max_filter_header_octets and spec::max_filter_header_fields
// errors  read() says why there is no header to edit
// source  RFC 5322 2.2, 3.5, 4.5 (a blank before the colon); smfi_addheader, smfi_insheader, smfi_chgheader of libmilter
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mail_spool.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

struct HeaderTrouble {
  enum class Kind : std::uint8_t { too_large, unreadable } kind;
  int error = 0;  // errno
};

class Header {
 public:
  [[nodiscard]] static std::expected<Header, HeaderTrouble> read(const base::MailSpool& mail);

  void apply(const HeaderEdit& edit);
  // Within the bounds, after edits, too.
  [[nodiscard]] bool fits() const;

  // How many octets of the mail data it was. What follows is the body, with the empty line before it, where there is one.
  [[nodiscard]] std::uint64_t octets_before() const { return octets_before_; }
  // The mail data has another header than this one: it is to be written again before anybody is shown it.
  [[nodiscard]] bool is_in_doubt() const { return has_line_of_mbox_ || follows_ == Follows::body; }
  // Of the mail data, where nothing of the body is replaced: with an empty line at its end where the mail data has none.
  [[nodiscard]] std::string text_before_body() const;
  // The fields alone.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::size_t fields() const { return fields_.size(); }
  // In their order, each whole, ended by LF (the last one may lack it).
  [[nodiscard]] std::span<const std::string> each_field() const { return fields_; }
  // Where the body begins in the mail data, after the empty line.
  [[nodiscard]] std::uint64_t body_begins() const { return octets_before_ + (follows_ == Follows::empty_line ? 1 : 0); }

 private:
  enum class Follows : std::uint8_t { nothing, empty_line, body };

  void take_line(std::string_view line);
  void insert(const HeaderEdit& edit);
  [[nodiscard]] std::size_t find(std::string_view name, std::int32_t index) const;

  std::vector<std::string> fields_;  // each whole, ended by LF
  std::uint64_t octets_before_ = 0;
  Follows follows_ = Follows::nothing;
  std::size_t above_received_ = 0;  // how many of fields_ edits have put there
  bool has_line_of_mbox_ = false;
  bool is_edited_ = false;
};

}  // namespace postern::filter
