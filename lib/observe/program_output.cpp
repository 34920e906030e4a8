#include "observe/program_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

namespace postern::observe {
namespace {

constexpr std::string_view cut_mark = "...";
constexpr int look_milliseconds = 1000;  // for the end of a second

}  // namespace

void ProgramLines::take(std::string_view octets, base::Time now) {
  pass(now);
  while (!octets.empty()) {
    const std::size_t end = octets.find('\n');
    const std::string_view piece = octets.substr(0, end);
    const std::size_t kept = std::min(piece.size(), max_program_line_octets - line_.size());
    line_ += piece.substr(0, kept);
    is_cut_ = is_cut_ || kept < piece.size();
    if (end == std::string_view::npos) return;
    end_line();
    octets.remove_prefix(end + 1);
  }
}

void ProgramLines::pass(base::Time now) {
  if (now - second_ < std::chrono::seconds(1)) return;
  tell_left_out();
  second_ = now;
  told_ = 0;
}

void ProgramLines::end() {
  end_line();
  tell_left_out();
}

void ProgramLines::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (is_cut_) line_ += cut_mark;
  if (!line_.empty() && ++told_ <= max_program_lines_a_second)
    LogLine("program", voice_).note(line_).write();
  else if (!line_.empty())
    ++left_out_;
  line_.clear();
  is_cut_ = false;
}

void ProgramLines::tell_left_out() {
  if (left_out_ == 0) return;
  LogLine("program", voice_).number("left_out", left_out_).note("lines of programs, which write too many").write();
  left_out_ = 0;
}

int ProgramOutput::open() {
  auto pipe = base::make_pipe();
  if (!pipe) return pipe.error();
  wake_ = base::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.is_open()) return errno;
  if (::fcntl(pipe->read_end.number(), F_SETFL, O_NONBLOCK) != 0) return errno;
  pipe_ = std::move(*pipe);
  return 0;
}

int ProgramOutput::start(LogVoice voice) {
  auto started = base::Thread::start([this, lines = ProgramLines(voice)]() mutable { work(lines); });
  if (!started) return started.error();
  thread_ = std::move(*started);
  return 0;
}

void ProgramOutput::stop() {
  if (!thread_.is_running()) return;
  ::eventfd_write(wake_.number(), 1);
  thread_.join();
}

// What is in the pipe at the end is told; what a program that goes on writes after that is not waited for.
void ProgramOutput::work(ProgramLines& lines) {
  ::pthread_setname_np(::pthread_self(), "postern-program");
  std::array<char, 4096> room;
  for (bool is_ending = false;;) {
    try {
      const ssize_t got = ::read(pipe_.read_end.number(), room.data(), room.size());
      const base::Time now = std::chrono::steady_clock::now();
      if (got > 0) lines.take({room.data(), static_cast<std::size_t>(got)}, now);
      if (got > 0) continue;
      if (is_ending) return lines.end();
      lines.pass(now);
    } catch (const std::bad_alloc&) {  // this piece is lost
      continue;
    }
    std::array waiting{pollfd{.fd = pipe_.read_end.number(), .events = POLLIN, .revents = 0},
                       pollfd{.fd = wake_.number(), .events = POLLIN, .revents = 0}};
    ::poll(waiting.data(), waiting.size(), look_milliseconds);
    is_ending = waiting[1].revents != 0;
  }
}

}  // namespace postern::observe
