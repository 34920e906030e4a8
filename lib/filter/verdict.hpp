// What a filter says of one message: whether it is taken, and what becomes of it before it is handed over.
// in      nothing: a value that each filter makes
// out     Verdict. Its edits count only where its kind is `accept`, and then all of them or none
// bounds  words are printable ASCII, one line, at most spec::max_verdict_octets; edits as spec/limits.hpp says: who makes a
//         verdict sees to it, and who applies one checks it again
// errors  `failed`: silence, or an answer that is none; `is_silent` and `cause` say which. Silence alone may be waived: a filter
//         that has spoken may have meant to refuse
// source  rspamd protocol (docs of 3.4); libmilter smfi_*; docs/decisions/0022-filters.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::filter {

struct HeaderEdit {
  enum class Kind : std::uint8_t {
    add,     // at the end of the header; `index` means nothing
    insert,  // before the field with this index, or at the end where there are fewer fields. Our Received is field 0 and
    // stays on top, but is not shown: so 0 and 1 are the top of what a filter is shown, 2 is after its first field
    change,  // the field of this name with this index; an empty value removes it. Where there is none: add, unless empty
    remove,  // the field of this name with this index; index 0: all of this name
  } kind = Kind::add;
  // RFC 5322 2.2: printable, no space, no colon; found without regard to case.
  std::string name{};
  // As it stands after the colon, with the space that a filter wants there; lines divided by LF, no LF at the end.
  std::string value{};
  // Of change and remove: from 1, in the order of the header; below 0: from its end, -1 is the last. Of insert below 0: from the
  // end, too, -1 is the place after the last field.
  std::int32_t index = 0;
};

// In this order: header, one edit after the other, each sees what the former left; then envelope; then body.
struct Edits {
  std::vector<HeaderEdit> header{};
  std::optional<std::string> reverse_path{};  // without angle brackets; empty: the null reverse-path
  std::vector<std::string> more_recipients{}, fewer_recipients{};  // without angle brackets. Fewer go first
  std::optional<std::string> body{};                               // in the place of the whole body; lines end with LF

  [[nodiscard]] bool are_none() const {
    return header.empty() && !reverse_path && more_recipients.empty() && fewer_recipients.empty() && !body;
  }
};

struct Verdict {
  enum class Kind : std::uint8_t {
    accept,   // with its edits; the next filter is asked
    refuse,   // 5xx
    defer,    // 4xx
    discard,  // 250, and the message is dropped
    failed,   // silence or nonsense
  } kind = Kind::failed;
  // Of failed: no connection, no answer in time, or an end before the first octet of an answer.
  bool is_silent = false;
  // For the client, of refuse and defer: "5.7.1 Spam". Empty: the filter has none.
  std::string words{};
  // Of accept.
  Edits edits{};
  // Of accept: why the message shall be put aside.
  std::optional<std::string> quarantine{};
  // For the log, and not for the client: "reject 15.2/15", "no connection, ECONNREFUSED".
  std::string cause{};
};

// Whether it may stand before the colon of a field (RFC 5322 2.2), and no longer than a line may be (2.1.1).
[[nodiscard]] bool is_field_name(std::string_view name);

// Whether it may stand after the colon: no NUL, no CR, and each further line begins with a blank and is not empty.
[[nodiscard]] bool is_field_value(std::string_view value);

}  // namespace postern::filter
