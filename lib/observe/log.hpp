// One event, one line, one write: `postern-smtpd[PID]: refuse rule=mail_tls_first reply="503 STARTTLS first" user=al`
// in      our own words (field, number, note) and octets of the client (client); never a password
// out     a line of at most max_log_line_octets on descriptor 2; what does not fit is cut and ends with `...`
// json    the same as one JSON object: {"time":"2026-01-31T23:59:59.000000Z","program":"postern","pid":7,"event":"refuse",
//         "rule":"...","note":"..."}; numbers are numbers, all else is text (lib/base/json_escape). What is cut is valid
//         still, and has "cut":true at its end. A line of text has no time: multilog and journald stamp it
// forging octets of the client outside 33..126, and `"`, `\` and `=`, become `\xHH`: they can make neither a line nor
//         a field, nor end one
// errors  none reported: if the log cannot be written, there is no other place. write(2) waits while multilog is busy
// cost    getpid (where the voice does not say it) and write; a buffer on the stack; allocates nothing
// source  multilog(8); RFC 8259; RFC 3339 5.6; deviation D17
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::observe {

inline constexpr std::size_t max_log_line_octets = 1000;      // multilog matches its patterns on the first 1,000 bytes
inline constexpr std::size_t max_client_octets_logged = 128;  // of one value, before escaping

// Where lines go, when it is not descriptor 2.
class LogOutput {
 public:
  virtual void write(std::string_view line) = 0;  // with its line end

 protected:
  ~LogOutput() = default;
};

enum class LogForm : std::uint8_t { text, json };

// Microseconds since 1970, UTC.
[[nodiscard]] std::uint64_t wall_clock_microseconds();

// Which program logs, where to, and in which format.
struct LogVoice {
  std::string_view program = "postern-smtpd";
  LogOutput* output = nullptr;  // null: descriptor 2
  LogForm form = LogForm::text;
  std::uint64_t process = 0;  // our pid; 0: asked for by each line, for a process that may fork
  int programs = 2;           // the descriptor on which programs that we run may say something
  std::uint64_t (*clock)() = wall_clock_microseconds;  // for the time of a line of JSON
};

class LogLine {
 public:
  using Octets = std::array<bool, 256>;  // a set of them

  explicit LogLine(std::string_view event, LogVoice voice = {});

  LogLine& field(std::string_view key, std::string_view text);  // ours; in quotes when it is empty or has a space
  LogLine& number(std::string_view key, std::uint64_t number);
  LogLine& client(std::string_view key, std::string_view octets);  // theirs: escaped and cut
  LogLine& note(std::string_view sentence);                        // ours, for people; the last thing on the line

  void write(int descriptor = 2);  // to which it goes when the voice has no output
  [[nodiscard]] std::string_view text() const { return {octets_.data(), end_}; }

 private:
  [[nodiscard]] bool is_json() const { return form_ == LogForm::json; }
  [[nodiscard]] std::size_t room() const;  // for octets of which none is cut off; when it is not full
  void begin_text(const LogVoice& voice, std::string_view event);
  void begin_json(const LogVoice& voice, std::string_view event);
  // Those at the front that are allowed, any of which may be the last: how many of them there is room for.
  std::size_t append_front(std::string_view text, const Octets& allowed);
  void append(std::string_view text);  // whole or not at all: an escape is never cut in two
  void begin_value(std::string_view key,
                   std::string_view first);  // the first octets of the value: they go with the key
  void end_string();
  void append_escaped(std::string_view text, const Octets& allowed);  // of the text alone: JSON has its own
  void cut();
  void close();  // makes what there is a whole line, without its line end; more may follow

  LogOutput* output_;
  LogForm form_;
  std::array<char, max_log_line_octets> octets_;
  std::size_t size_ = 0;  // without what close() put after it
  std::size_t end_ = 0;   // with it
  bool is_full_ = false;
  bool is_in_string_ = false;
};

}  // namespace postern::observe
