// What the edits of one filter make of a message, whole or not at all.
// in      a message and its mail data; edits of an accepted one
// out     the mail data and the envelope after them
// bounds  those of Header, spec::max_filter_edits, and for the envelope spec::max_recipients and max_recipient_octets
// errors  EditTrouble, and the message is what it was. `unfit`: what the filter wants cannot be; `no_room`: the disk, or memory
// source  docs/decisions/0022-filters.md
#pragma once

#include <expected>
#include <string>

#include "filter/header.hpp"
#include "filter/message.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

struct EditTrouble {
  enum class Kind : std::uint8_t { unfit, no_room } kind;
  std::string why;
};

// The mail data with the header that Header has read from it, where that is in doubt.
[[nodiscard]] std::expected<void, EditTrouble> write_again(const Header& header, base::MailSpool& mail);

// mail   what message.mail points to
[[nodiscard]] std::expected<void, EditTrouble> apply(const Edits& edits, FilterMessage& message, base::MailSpool& mail);

}  // namespace postern::filter
