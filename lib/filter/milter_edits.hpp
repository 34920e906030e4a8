// What a filter changes, collected packet by packet at the end of the message: all of it counts, or nothing.
// in      packets that change something, and what was agreed
// out     Edits, and why the message shall be put aside
// space   where the filter sees values without the space after their colon (no milter_protocol::leading_space), it also writes them
//         so, and gets the space here
// args    parameters of a recipient or a sender are dropped: no way out carries them
// order   packets of a new body follow one another; a recipient that is deleted after it was added is not added
// bounds  what a header and the recipients of a message may have, for all but the body; max_body_octets for that
// errors  what is wrong with a packet, in words for the log: then nothing of the message's edits may count
// source  libmilter: smfi_addheader, smfi_insheader, smfi_chgheader, smfi_chgfrom, smfi_addrcpt, smfi_delrcpt,
//         smfi_replacebody, smfi_quarantine; Postfix milter8(3): change of field 0 means field 1
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filter/milter_codec.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

class MilterEdits {
 public:
  MilterEdits(const MilterTerms& terms, std::size_t max_body_octets)
      : actions_(terms.actions),
        sees_space_((terms.protocol & milter_protocol::leading_space) != 0),
        max_body_octets_(max_body_octets) {}

  // Whether such a packet changes something.
  [[nodiscard]] static bool is_edit(char letter);
  // Empty: it is taken.
  [[nodiscard]] std::string add(const MilterPacket& packet);
  [[nodiscard]] bool has_begun() const { return last_ != 0; }
  // At the end of the message. Once; what is wrong with the body, or nothing.
  [[nodiscard]] std::string finish();
  [[nodiscard]] Edits& edits() { return edits_; }
  [[nodiscard]] std::optional<std::string>& quarantine() { return quarantine_; }

 private:
  [[nodiscard]] std::string add_field(HeaderEdit::Kind kind, MilterFields fields);
  [[nodiscard]] std::string add_body(std::string_view octets);
  [[nodiscard]] std::string add_recipient(std::string_view address);
  [[nodiscard]] std::string delete_recipient(std::string_view address);

  std::uint32_t actions_;
  bool sees_space_;
  std::size_t max_body_octets_;
  std::size_t octets_ = 0;
  char last_ = 0;  // letter
  Edits edits_;
  std::optional<std::string> quarantine_;
};

}  // namespace postern::filter
