// Is an address in a control file that refuses addresses? Its entries are addresses or `@host`, in any case of letters.
// in      the file's name without `control/`, a literal; an address as grammar::write_mailbox writes it; the empty one is never listed
// out     Listing; nothing is read before the first question, which comes with the first RCPT, or before read()
// threads many may ask a const one, which reads nothing: it answers by what read() has read
// errors  unknowable: the file cannot be read; problem() says why
// source  qmail-control(5): badmailfrom; badrcptto patch
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/control.hpp"

namespace postern::ask {

class AddressList {
 public:
  explicit AddressList(std::string_view name) : list_(name, config::EntryKind::addresses) {}

  enum class Listing : std::uint8_t { unlisted, listed, unknowable };

  [[nodiscard]] Listing listing_of(std::string_view address);
  [[nodiscard]] Listing listing_of(std::string_view address) const { return judge(list_.state(), address); }
  void read();
  [[nodiscard]] bool is_known() const { return list_.state() != config::ControlList::State::unusable; }
  [[nodiscard]] const std::string& problem() const { return list_.problem(); }

 private:
  [[nodiscard]] Listing judge(config::ControlList::State state, std::string_view address) const;

  config::ControlList list_;
};

}  // namespace postern::ask
