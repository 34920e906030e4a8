#include "ask/recipient_program.hpp"

#include <fcntl.h>
#include <string.h>

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "base/child_text.hpp"

namespace postern::ask {
namespace {

using spec::Event;

constexpr std::string_view too_slow = "was too slow, and was killed";

// Who is told so must have words, and those of an unknown recipient are what the original says.
std::string words_of(const base::ChildText& text) {
  std::string words = text.words();
  const bool says_nothing = words.find_first_not_of(' ') == std::string::npos;
  return says_nothing ? std::string(spec::text_at(spec::reply_row(spec::Reply::recipient_unknown).text)) : words;
}

ProgramVerdict unknowable(const std::string& path, std::string_view why) {
  return {.event = Event::recipient_unknowable, .words = {}, .problem = "RCPTCHECK " + path + " " + std::string(why)};
}

ProgramVerdict verdict_of_exit(int code, const std::string& path, const base::ChildText& text) {
  switch (code) {
    case 100: return {.event = Event::recipient_program_refused, .words = words_of(text)};
    case 111: return {.event = Event::recipient_program_deferred, .words = text.words()};
    case 120:
    case 126:  // POSIX sh, env: what it would run could not be executed
    case 127: return unknowable(path, "could not do its work: exit code " + std::to_string(code));
    default: return {.event = Event::recipient_ours};
  }
}

ProgramVerdict verdict_of(base::WaitResult ended, const std::string& path, const base::ChildText& text) {
  switch (ended.kind) {
    case base::WaitResult::Kind::exited: return verdict_of_exit(ended.value, path, text);
    case base::WaitResult::Kind::killed: {
      const char* const name = ::sigabbrev_np(ended.value);
      return unknowable(path, "was killed by " + (name != nullptr ? "SIG" + std::string(name) : "a signal"));
    }
    case base::WaitResult::Kind::overdue: return unknowable(path, too_slow);
    case base::WaitResult::Kind::lost: break;
  }
  return unknowable(path, "has ended, and nobody knows how");
}

}  // namespace

ProgramVerdict ask_recipient_program(const std::string& path, const base::Environment& environment,
                                     base::Deadline deadline, int standard_error) {
  const base::Descriptor nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto pipe = base::make_pipe();
  if (!nowhere.is_open() || !pipe || !base::set_nonblocking(pipe->read_end))
    return unknowable(path, "was not run: no descriptors");
  const std::array redirects{base::Redirect{nowhere.number(), 0}, base::Redirect{nowhere.number(), 1},
                             base::Redirect{pipe->write_end.number(), 4}, base::Redirect{standard_error, 2}};
  std::string name = path;
  std::array<char*, 2> argv{name.data(), nullptr};
  const auto child = base::spawn(path.c_str(), argv.data(), std::span(redirects).first(standard_error == 2 ? 3 : 4),
                                 environment, base::Group::own);
  if (!child) return unknowable(path, "cannot be run: " + std::string(::strerror(child.error())));
  pipe->write_end.close();
  base::ChildText text(std::move(pipe->read_end));
  const bool is_in_time = text.read_to_end(*child, deadline);
  // The pipe stays open until it is gone: a closed one would end it, with an exit code that says nothing.
  const base::WaitResult ended = base::wait_for(*child, deadline);
  return is_in_time ? verdict_of(ended, path, text) : unknowable(path, too_slow);
}

}  // namespace postern::ask
