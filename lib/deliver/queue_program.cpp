#include "deliver/queue_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "spec/policy_row.hpp"

namespace postern::deliver {
namespace {

// qmail-queue(8)
constexpr int exit_timeout = 52;
constexpr int exit_not_read = 54;
constexpr int exit_temporary = 111;
constexpr int exit_not_executable = 120;

bool may_have_custom_text(int exit_code) { return exit_code == 82 || exit_code == 88; }

Outcome told_by_exit_code(int exit_code) {
  for (const spec::QueueExitRow& row : spec::queue_exit_rows()) {
    if (exit_code < row.first || exit_code > row.last) continue;
    return {row.is_permanent ? Outcome::Result::refused : Outcome::Result::deferred,
            std::string(spec::text_at(row.text)), "exit code " + std::to_string(exit_code)};
  }
  std::unreachable();  // the last row fits every exit code
}

void append_number(std::string& text, long long number) {
  std::array<char, 20> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

// "1700000000 qp 4711": what queue logs are searched for.
Outcome accepted_by(pid_t child) {
  std::string verdict;
  append_number(verdict, ::time(nullptr));
  verdict += " qp ";
  append_number(verdict, child);
  return {Outcome::Result::accepted, std::move(verdict), {}};
}

// RFC 5321 4.2: reply text is printable. Above all it is one line.
char printable(char octet) { return octet >= ' ' && octet <= '~' ? octet : '?'; }

bool set_nonblocking(const base::Descriptor& descriptor) {
  return ::fcntl(descriptor.number(), F_SETFL, O_NONBLOCK) == 0;
}

}  // namespace

std::string QueueProgram::begin(MessageId, std::string_view received, std::string_view) {
  abandon();
  text_octets_ = 0;
  trouble_ = start();
  if (trouble_ == Trouble::no_pipe) return "no descriptor for the pipes of the queue program";
  if (trouble_ == Trouble::not_executable) return "cannot run the queue program " + settings_.path;
  append(received);
  return {};
}

QueueProgram::Trouble QueueProgram::start() {
  auto message = base::make_pipe();
  auto envelope = base::make_pipe();
  auto errors = base::make_pipe();
  if (!message || !envelope || !errors) return Trouble::no_pipe;
  // Neither side may wait for the other while that one waits for it: our three ends never block.
  if (!set_nonblocking(message->write_end) || !set_nonblocking(envelope->write_end) ||
      !set_nonblocking(errors->read_end))
    return Trouble::no_pipe;

  const int error_end = errors->write_end.number();
  const std::array redirects{base::Redirect{message->read_end.number(), 0},
                             base::Redirect{envelope->read_end.number(), 1},
                             base::Redirect{error_end, settings_.error_descriptor.value_or(6)},
                             base::Redirect{error_end, settings_.error_descriptor.value_or(4)}};
  std::array<char*, 2> argv{settings_.path.data(), nullptr};
  const auto child = base::spawn(settings_.path.c_str(), argv.data(), redirects, environment_);
  if (!child) return Trouble::not_executable;
  child_ = *child;
  message_ = std::move(message->write_end);
  envelope_ = std::move(envelope->write_end);
  errors_ = std::move(errors->read_end);
  return Trouble::none;
}

void QueueProgram::append(std::string_view octets) { send(message_, octets); }

// Once something was not taken, nothing more is sent: the child must not see a message with a hole.
void QueueProgram::send(const base::Descriptor& to, std::string_view octets) {
  std::optional<base::Deadline> deadline;
  while (trouble_ == Trouble::none && !octets.empty()) {
    const ssize_t taken = ::write(to.number(), octets.data(), octets.size());
    if (taken >= 0) {
      octets.remove_prefix(static_cast<std::size_t>(taken));
    } else if (errno == EAGAIN) {
      if (!deadline) deadline = base::after_seconds(settings_.max_seconds);
      trouble_ = wait_until_writable(to, *deadline);
    } else if (errno != EINTR) {
      trouble_ = Trouble::not_taken;
    }
  }
}

// A child that fills the error pipe before it reads on is drained here.
QueueProgram::Trouble QueueProgram::wait_until_writable(const base::Descriptor& to, base::Deadline deadline) {
  while (true) {
    const int left = base::milliseconds_until(deadline);
    if (left == 0) return Trouble::overdue;
    std::array watched{pollfd{.fd = to.number(), .events = POLLOUT, .revents = 0},
                       pollfd{.fd = errors_.number(), .events = POLLIN, .revents = 0}};
    if (::poll(watched.data(), watched.size(), left) <= 0) continue;
    if (watched[1].revents != 0) read_errors();
    if (watched[0].revents != 0) return Trouble::none;
  }
}

// One read, so that a child that writes for ever cannot hold us here. The first octets are kept, the others only make
// room. Closed at its end.
void QueueProgram::read_errors() {
  std::array<char, 4096> octets{};
  const ssize_t got = ::read(errors_.number(), octets.data(), octets.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) return errors_.close();
  const std::size_t kept = std::min(static_cast<std::size_t>(got), text_.size() - text_octets_);
  std::copy_n(octets.begin(), kept, text_.begin() + static_cast<std::ptrdiff_t>(text_octets_));
  text_octets_ += kept;
}

// To end of file, or to the end of the child: what it leaves running may hold the pipe for ever.
void QueueProgram::read_errors_until_end(base::Deadline deadline) {
  const base::Descriptor ended = base::watch(child_);
  bool has_ended = false;
  while (errors_.is_open() && !has_ended) {
    const int left = base::milliseconds_until(deadline);
    if (left == 0) trouble_ = Trouble::overdue;  // said now: when the pipe is closed the child may die of that
    if (left == 0) return;
    std::array watched{pollfd{.fd = errors_.number(), .events = POLLIN, .revents = 0},
                       pollfd{.fd = ended.number(), .events = POLLIN, .revents = 0}};
    if (::poll(watched.data(), watched.size(), left) <= 0) continue;
    has_ended = watched[1].revents != 0;
    read_errors();
  }
}

base::WaitResult QueueProgram::close_and_wait(unsigned seconds) {
  message_.close();
  envelope_.close();
  const base::Deadline deadline = base::after_seconds(seconds);
  read_errors_until_end(deadline);
  errors_.close();
  return base::wait_for(std::exchange(child_, 0), deadline);
}

Outcome QueueProgram::finish(std::string_view octets, std::string_view envelope_octets) {
  append(octets);
  if (child_ == 0) return told_by_exit_code(trouble_ == Trouble::not_executable ? exit_not_executable : exit_temporary);
  message_.close();  // the envelope is read only after the end of the message
  send(envelope_, envelope_octets);
  const pid_t child = child_;
  // When something was not taken the envelope has no last NUL, and that is the abort of the protocol. Why the child
  // took no more is in its exit code.
  const bool is_stuck = trouble_ == Trouble::overdue;
  return outcome_of(close_and_wait(is_stuck ? settings_.max_abandon_seconds : settings_.max_seconds), child);
}

Outcome QueueProgram::outcome_of(base::WaitResult ended, pid_t child) const {
  if (trouble_ == Trouble::overdue || ended.kind == base::WaitResult::Kind::overdue)
    return told_by_exit_code(exit_timeout);
  if (ended.kind != base::WaitResult::Kind::exited)
    return {Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::queue_crashed))};
  if (may_have_custom_text(ended.value)) return custom_outcome();
  if (ended.value != 0) return told_by_exit_code(ended.value);
  // Content with less than the whole message, or gone before the envelope: qmail's own code calls that a read error.
  if (trouble_ != Trouble::none) return told_by_exit_code(exit_not_read);
  return accepted_by(child);
}

// original: D is permanent, any other first octet temporary, and neither is told; less than two octets say nothing.
Outcome QueueProgram::custom_outcome() const {
  std::string_view text(text_.data(), text_octets_);
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);  // as `echo` writes it
  if (text.size() < 2) return told_by_exit_code(exit_temporary);
  std::string verdict(text.substr(1));
  std::ranges::transform(verdict, verdict.begin(), printable);
  return {text.front() == 'D' ? Outcome::Result::refused : Outcome::Result::deferred, std::move(verdict)};
}

void QueueProgram::abandon() {
  if (child_ != 0) static_cast<void>(close_and_wait(settings_.max_abandon_seconds));
  trouble_ = Trouble::none;
}

}  // namespace postern::deliver
