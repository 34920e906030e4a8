#include "testing/naive_mail_data.hpp"

#include <algorithm>
#include <cctype>

namespace postern::testing {
namespace {

bool is_hop(std::string line) {
  std::transform(line.begin(), line.end(), line.begin(), [](unsigned char octet) { return std::tolower(octet); });
  return line.starts_with("received:") || line.starts_with("delivered-to:");
}

// RFC 5321 4.5.2: "If the first character is a period and there are other characters on the line, the first character
// is deleted." The line that is a single period has been dealt with before.
std::string without_period(std::string_view line) { return std::string(line.starts_with('.') ? line.substr(1) : line); }

void note_bare(std::string_view line, NaiveMailData& data) {
  data.saw_bare_cr |= line.contains('\r');
  data.saw_bare_lf |= line.contains('\n');
  data.saw_nul |= line.contains('\0');
}

}  // namespace

NaiveMailData read_mail_data(std::string_view octets) {
  NaiveMailData data;
  bool in_header = true;
  while (true) {
    const std::size_t line_end = octets.find("\r\n", data.consumed);
    const bool is_whole = line_end != std::string_view::npos;
    std::string_view line = octets.substr(data.consumed, is_whole ? line_end - data.consumed : line_end);
    data.consumed = is_whole ? line_end + 2 : octets.size();
    data.ended = is_whole && line == ".";  // RFC 5321 4.1.1.4
    if (data.ended) return data;
    if (!is_whole && line.ends_with('\r')) line.remove_suffix(1);  // it may still become CRLF
    note_bare(line, data);
    const std::string text = without_period(line);
    if (is_whole && line.empty()) in_header = false;  // RFC 5322 2.1
    if (in_header && is_hop(text)) ++data.hops;
    data.text += text;
    if (!is_whole) return data;
    data.text += '\n';
  }
}

}  // namespace postern::testing
