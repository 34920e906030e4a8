#include "deliver/lmtp/reply.hpp"

#include <algorithm>

#include "spec/limits.hpp"

namespace postern::deliver {
namespace {

bool is_digit(char octet, char last) { return octet >= '0' && octet <= last; }

// RFC 5321 4.2: one line of printable ASCII, above all.
char printable(char octet) {
  if (octet == '\n') return ' ';
  return octet >= ' ' && octet <= '~' ? octet : '?';
}

}  // namespace

// RFC 5321 4.2: Reply-code = %x32-35 %x30-35 %x30-39; a last line without text may lack its space
std::optional<LmtpReplyLine> parse_lmtp_reply_line(std::string_view line) {
  if (line.size() < 3 || line[0] < '2' || !is_digit(line[0], '5') || !is_digit(line[1], '5') || !is_digit(line[2], '9'))
    return std::nullopt;
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (line.size() == 3) return LmtpReplyLine{code, true, {}};
  if (line[3] != ' ' && line[3] != '-') return std::nullopt;
  return LmtpReplyLine{code, line[3] == ' ', line.substr(4)};
}

std::string printable_line(std::string_view text) {
  std::string line(text.substr(0, spec::max_verdict_octets));
  std::ranges::transform(line, line.begin(), printable);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace postern::deliver
