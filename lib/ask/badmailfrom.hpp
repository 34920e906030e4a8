// Is a reverse-path refused by control/badmailfrom? An entry is an address or `@host`, in any case of letters.
// in      an address as grammar::write_mailbox writes it; the empty one is never listed
// out     Listing; nothing is read before the first question, which comes with the first RCPT
// errors  unknowable: the file cannot be read; problem() says why
// source  qmail-control(5): badmailfrom
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/control.hpp"

namespace postern::ask {

class BadMailFrom {
 public:
  enum class Listing : std::uint8_t { unlisted, listed, unknowable };

  [[nodiscard]] Listing listing_of(std::string_view address);
  [[nodiscard]] const std::string& problem() const { return list_.problem(); }

 private:
  config::ControlList list_{"badmailfrom", config::EntryKind::senders};
};

}  // namespace postern::ask
