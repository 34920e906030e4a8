// What a mail cluster answers, line by line.
// in      octets as they come: lines of three digits, then a space or the end (the last line) or a hyphen, and CRLF
// out     LmtpReplyLine, a view into the line; LmtpReply, all lines of one reply, when the last one is there
// limits  max_lmtp_reply_line_octets, max_lmtp_reply_lines; of the text max_lmtp_reply_octets are kept
// errors  none besides no value and is_garbage(): what is not a reply cannot be obeyed
// source  RFC 5321 4.2, 4.2.1, 4.5.3.1.5
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace postern::deliver {

inline constexpr std::size_t max_lmtp_reply_line_octets = 2048;  // RFC 5321 4.5.3.1.5 requires at least 512
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
  std::string text;  // the lines without the code, joined by LF; any other octet may be in it, a space for a bare LF

  [[nodiscard]] bool is_positive() const { return code / 100 == 2; }
  [[nodiscard]] bool is_temporary() const { return code / 100 == 4; }
  [[nodiscard]] bool is_permanent() const { return code / 100 == 5; }
  [[nodiscard]] bool is_judgement() const { return is_positive() || is_temporary() || is_permanent(); }
};

// One reply after the other, out of pieces of any size.
class LmtpReplyReader {
 public:
  void add(std::string_view octets);
  // None before its last line is there, and none after garbage.
  [[nodiscard]] std::optional<LmtpReply> next();
  [[nodiscard]] bool is_garbage() const { return is_garbage_; }
  // Whether nothing is there beyond the replies that were read.
  [[nodiscard]] bool is_empty() const { return at_ == unread_.size() && lines_ == 0; }

 private:
  // Without its CRLF, valid until add().
  [[nodiscard]] std::optional<std::string_view> next_line();
  // False: it belongs to no reply.
  [[nodiscard]] bool take(const LmtpReplyLine& line);

  std::string unread_;
  std::size_t at_ = 0;  // what stands before it has been read
  LmtpReply reply_;     // the lines of which have not all come
  std::size_t lines_ = 0;
  bool is_garbage_ = false;
};

// The text as one printable line, at most spec::max_verdict_octets of it.
[[nodiscard]] std::string printable_line(std::string_view text);

}  // namespace postern::deliver
