// What is said to a milter about one message, command by command: the session as its client had it, the message, the end.
// in      a message, which outlives this; what was agreed with the filter
// out     octets of commands, each after its macros
// shown   macros of every stage, also where the filter wants no command of it (Sendmail, Postfix). HELO only if there was one. The
//         body is in its own packets, and the end has none of it; an empty one is no packet: libmilter fails at an empty one
// errors  errno of a spool that cannot be read back; EMSGSIZE: a field of the header fits in no packet
// source  libmilter: xxfi_*; Postfix MILTER_README
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "filter/message.hpp"
#include "filter/milter_codec.hpp"
#include "filter/milter_mail.hpp"

namespace postern::filter {

enum class MilterStep : std::uint8_t {
  offer,
  connect,
  helo,
  mail,
  rcpt,
  data,
  header,
  end_of_header,
  body,
  end_of_message,
};
// For the log: "at RCPT".
[[nodiscard]] std::string_view name_of(MilterStep step);

class MilterScript {
 public:
  MilterScript(const FilterMessage& message, const MilterTerms& terms)
      : message_(message), terms_(terms), mail_(*message.mail) {}

  // Puts what comes next behind `octets`; whether it is answered. Not after the end of the message was said.
  [[nodiscard]] std::expected<bool, int> put_next(std::string& octets);
  // Which was said last.
  [[nodiscard]] MilterStep said() const { return said_; }
  void skip_body() { wants_body_ = false; }

 private:
  [[nodiscard]] std::expected<bool, int> put_field(std::string& octets);
  [[nodiscard]] std::expected<bool, int> put_chunk(std::string& octets);
  [[nodiscard]] bool put_recipient(std::string& octets);
  // A command, unless the filter does not want it; whether it is answered.
  [[nodiscard]] bool put(std::string& octets, MilterCommand command, std::string_view data) const;
  void put_macros(std::string& octets, MilterStage stage, std::string_view recipient = {}) const;
  [[nodiscard]] bool is_agreed(std::uint32_t bit) const { return (terms_.protocol & bit) != 0; }

  const FilterMessage& message_;
  const MilterTerms& terms_;
  MilterMail mail_;
  MilterStep said_ = MilterStep::offer, next_ = MilterStep::connect;
  std::size_t recipient_ = 0;  // which is said next
  bool wants_body_ = true;
};

}  // namespace postern::filter
