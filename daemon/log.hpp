// One event, one line, one write: `postern-smtpd[PID]: refuse rule=mail_tls_first reply="503 STARTTLS first" user=al`
// in      our own words (field, number, note) and octets of the client (client); never a password
// out     a line of at most max_log_line_octets on descriptor 2; what does not fit is cut and ends with `...`
// forging octets of the client outside 33..126, and `"`, `\` and `=`, become `\xHH`: they can make neither a line nor
//         a field, nor end one
// errors  none told: a log that cannot be written to has nobody to tell. write(2) waits while multilog is busy
// cost    getpid and write; a buffer on the stack; allocates nothing
// source  multilog(8); deviation D17
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::daemon {

inline constexpr std::size_t max_log_line_octets = 1000;      // multilog matches its patterns on the first 1,000 bytes
inline constexpr std::size_t max_client_octets_logged = 128;  // of one value, before escaping

// Where lines go, when it is not descriptor 2.
class LogOutput {
 public:
  virtual void write(std::string_view line) = 0;  // with its line end

 protected:
  ~LogOutput() = default;
};

// Who speaks, and to whom.
struct LogVoice {
  std::string_view program = "postern-smtpd";
  LogOutput* output = nullptr;  // null: descriptor 2
};

class LogLine {
 public:
  explicit LogLine(std::string_view event, LogVoice voice = {});

  LogLine& field(std::string_view key, std::string_view text);  // ours; in quotes when it is empty or has a space
  LogLine& number(std::string_view key, std::uint64_t number);
  LogLine& client(std::string_view key, std::string_view octets);  // theirs: escaped and cut
  LogLine& note(std::string_view sentence);                        // ours, for people; the last thing on the line

  void write(int descriptor = 2);  // to which it goes when the voice has no output
  [[nodiscard]] std::string_view text() const { return {octets_.data(), size_}; }

 private:
  void append(std::string_view text);  // whole or not at all: an escape is never cut in two
  void append_key(std::string_view key);
  void append_escaped(std::string_view text, std::string_view allowed);

  LogOutput* output_;
  std::array<char, max_log_line_octets> octets_;
  std::size_t size_ = 0;
  bool is_full_ = false;
};

}  // namespace postern::daemon
