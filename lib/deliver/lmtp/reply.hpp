// What a mail cluster answers, line by line.
// in      one line of a reply without its CRLF: three digits, then a space or the end (the last line) or a hyphen
// out     LmtpReplyLine, a view into the line; LmtpReply, all lines of one reply
// limits  max_lmtp_reply_line_octets, max_lmtp_reply_lines; of the text max_lmtp_reply_octets are kept
// errors  none besides no value: what is no reply is nothing that one could obey
// source  RFC 5321 4.2, 4.2.1, 4.5.3.1.5
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace postern::deliver {

inline constexpr std::size_t max_lmtp_reply_line_octets = 2048;  // RFC 5321 4.5.3.1.5 wants at least 512
inline constexpr std::size_t max_lmtp_reply_lines = 100;
inline constexpr std::size_t max_lmtp_reply_octets = 8192;

struct LmtpReplyLine {
  int code;
  bool is_last;
  std::string_view text;
};
[[nodiscard]] std::optional<LmtpReplyLine> parse_lmtp_reply_line(std::string_view line);

struct LmtpReply {
  int code = 0;      // 0: none came
  std::string text;  // the lines without the code, joined by LF; any octet may be in it

  [[nodiscard]] bool is_positive() const { return code / 100 == 2; }
  [[nodiscard]] bool is_temporary() const { return code / 100 == 4; }
  [[nodiscard]] bool is_permanent() const { return code / 100 == 5; }
  [[nodiscard]] bool is_judgement() const { return is_positive() || is_temporary() || is_permanent(); }
};

// The text as one printable line, at most spec::max_verdict_octets of it.
[[nodiscard]] std::string printable_line(std::string_view text);

}  // namespace postern::deliver
