// One reading of every text file that an operator writes: the lines as an editor of any system left them.
// in      the whole text of a file, or its first piece
// out     lines without what is forgiven: a byte order mark of UTF-8 at the head, carriage returns, spaces and tabs at the
//         end of a line, a missing last line end. Nothing else is: has_stray_control() finds the rest
// lives   a line points into the text
// errors  none
// source  qmail-control(5) for blanks at line ends; docs/operating.md, "Text files"
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::base {

inline constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";  // the byte order mark, as UTF-8 has it

enum class Forgiven : std::uint8_t { nothing, carriage_return, byte_order_mark };

struct TextLine {
  std::string_view text;
  std::size_t number;  // from 1
  Forgiven forgiven;   // blanks are part of the format, and no leniency
};

class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}
  [[nodiscard]] std::optional<TextLine> next();

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// `ends with a carriage return` or another remark, for a sentence; empty for none.
[[nodiscard]] std::string_view describe(Forgiven forgiven);

// A control octet that no text has: a NUL as in UTF-16, a carriage return where no line ends. A tab is none.
[[nodiscard]] bool has_stray_control(std::string_view line);
// Spaces, tabs and printable ASCII.
[[nodiscard]] bool is_ascii_text(std::string_view line);

}  // namespace postern::base
