// What programs that are run for clients write on their standard error, as lines of the log: `program` lines, which nobody
// can take for lines of ours.
// in      octets of any program, from one pipe for all of them
// out     a line of the log for each line, of at most max_program_line_octets; empty ones are left out
// bounds  max_program_lines_a_second; how many lines more there were is told when the second is over. The pipe is read on
//         all the while, so that no program waits for the log
// threads ProgramOutput has one of its own from start() to stop(), which writes what is in the pipe
// errors  open() and start() give errno
// source  qmail-queue(8), checkpassword interface: descriptor 2 of the child is the log
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/child.hpp"
#include "base/clock.hpp"
#include "base/thread.hpp"
#include "observe/log.hpp"

namespace postern::observe {

inline constexpr std::size_t max_program_line_octets = 500;
inline constexpr unsigned max_program_lines_a_second = 50;

class ProgramLines {
 public:
  explicit ProgramLines(LogVoice voice) : voice_(voice) {}

  void take(std::string_view octets, base::Time now);
  // When no octets have come: what was left out is told once its second is over.
  void pass(base::Time now);
  void end();  // also of the last line

 private:
  void end_line();
  void tell_left_out();

  LogVoice voice_;
  std::string line_;
  bool is_cut_ = false;
  base::Time second_{};  // its beginning
  unsigned told_ = 0;    // in it
  std::uint64_t left_out_ = 0;
};

class ProgramOutput {
 public:
  ProgramOutput() = default;
  ProgramOutput(const ProgramOutput&) = delete;
  ProgramOutput& operator=(const ProgramOutput&) = delete;
  ~ProgramOutput() { stop(); }

  [[nodiscard]] int open();
  // For programs, once it is open.
  [[nodiscard]] int descriptor() const { return pipe_.write_end.number(); }
  [[nodiscard]] int start(LogVoice voice);
  void stop();

 private:
  void work(ProgramLines& lines);

  base::Pipe pipe_;
  base::Descriptor wake_;
  base::Thread thread_;
};

}  // namespace postern::observe
