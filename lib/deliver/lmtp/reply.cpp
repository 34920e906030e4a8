#include "deliver/lmtp/reply.hpp"

#include <algorithm>
#include <utility>

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

void LmtpReplyReader::add(std::string_view octets) {
  unread_.erase(0, std::exchange(at_, 0));
  unread_ += octets;
}

std::optional<std::string_view> LmtpReplyReader::next_line() {
  const std::string_view unread = std::string_view(unread_).substr(at_);
  const std::size_t end = unread.find("\r\n");
  is_garbage_ |= std::min(end, unread.size()) + (end == std::string_view::npos ? 0 : 2) > max_lmtp_reply_line_octets;
  if (is_garbage_ || end == std::string_view::npos) return std::nullopt;
  at_ += end + 2;
  return unread.substr(0, end);
}

bool LmtpReplyReader::take(const LmtpReplyLine& line) {
  if (lines_ > 0 && line.code != reply_.code) return false;  // RFC 5321 4.2.1: each line has the same code
  reply_.code = line.code;
  if (lines_ > 0) reply_.text += '\n';
  if (reply_.text.size() + line.text.size() < max_lmtp_reply_octets) {
    reply_.text += line.text;
    // RFC 5321 2.3.8: it ends no line, so no second extension can stand behind it.
    std::replace(reply_.text.end() - static_cast<std::ptrdiff_t>(line.text.size()), reply_.text.end(), '\n', ' ');
  }
  ++lines_;
  return line.is_last || lines_ < max_lmtp_reply_lines;
}

std::optional<LmtpReply> LmtpReplyReader::next() {
  for (auto line = next_line(); line; line = next_line()) {
    const auto parsed = parse_lmtp_reply_line(*line);
    is_garbage_ = !parsed || !take(*parsed);
    if (is_garbage_) return std::nullopt;
    if (!parsed->is_last) continue;
    lines_ = 0;
    return std::exchange(reply_, {});
  }
  return std::nullopt;
}

std::string printable_line(std::string_view text) {
  std::string line(text.substr(0, spec::max_verdict_octets));
  std::ranges::transform(line, line.begin(), printable);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace postern::deliver
