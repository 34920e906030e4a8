#include "base/text_lines.hpp"

#include <algorithm>

namespace postern::base {
namespace {

bool is_control(char octet) { return static_cast<unsigned char>(octet) < 32 || octet == 127; }

std::string_view without_end(std::string_view line, std::string_view what) {
  return line.substr(0, line.find_last_not_of(what) + 1);  // npos + 1 is 0
}

}  // namespace

std::optional<TextLine> TextLines::next() {
  if (rest_.empty()) return std::nullopt;
  Forgiven forgiven = Forgiven::nothing;
  if (number_ == 0 && rest_.starts_with(utf8_mark)) {
    rest_.remove_prefix(utf8_mark.size());
    forgiven = Forgiven::byte_order_mark;
  }
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  const std::string_view text = without_end(line, " \t\r");
  if (forgiven == Forgiven::nothing && line.substr(text.size()).contains('\r')) forgiven = Forgiven::carriage_return;
  return TextLine{.text = text, .number = ++number_, .forgiven = forgiven};
}

std::string_view describe(Forgiven forgiven) {
  switch (forgiven) {
    case Forgiven::carriage_return: return "ends with a carriage return";
    case Forgiven::byte_order_mark: return "begins with a byte order mark";
    case Forgiven::nothing: break;
  }
  return {};
}

bool has_stray_control(std::string_view line) {
  return std::ranges::any_of(line, [](char octet) { return octet != '\t' && is_control(octet); });
}

bool is_ascii_text(std::string_view line) {
  return std::ranges::all_of(line, [](char octet) {
    return octet == '\t' || (static_cast<unsigned char>(octet) < 128 && !is_control(octet));
  });
}

}  // namespace postern::base
