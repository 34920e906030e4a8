// Plain text for a terminal, and Markdown.
// in      cells of UTF-8, counted as octets (what this program writes is ASCII)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::audit {

using Rows = std::vector<std::vector<std::string>>;  // the first row is the head

// Columns two spaces apart, the head underlined; every line indented by two.
[[nodiscard]] std::string text_table(const Rows& rows);
[[nodiscard]] std::string markdown_table(const Rows& rows);
// Breaks at blanks so that no line is longer than `width` octets; lines after the first begin with `indent`.
[[nodiscard]] std::string wrapped(std::string_view text, std::string_view indent, std::size_t width = 100);
[[nodiscard]] std::string joined(const std::vector<std::string>& parts, std::string_view between);
[[nodiscard]] std::string html_escaped(std::string_view text);
[[nodiscard]] std::string replaced(std::string text, std::string_view what, std::string_view by);

[[nodiscard]] std::string base64(std::string_view octets);  // RFC 4648 4, as AUTH has it

}  // namespace postern::audit
