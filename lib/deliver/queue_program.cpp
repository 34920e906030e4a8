#include "deliver/queue_program.hpp"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <span>
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

std::string exit_in_words(int exit_code) { return "exit code " + std::to_string(exit_code); }

Outcome told_by_exit_code(int exit_code) {
  for (const spec::QueueExitRow& row : spec::queue_exit_rows()) {
    if (exit_code < row.first || exit_code > row.last) continue;
    return {row.is_permanent ? Outcome::Result::refused : Outcome::Result::deferred,
            std::string(spec::text_at(row.text)), exit_in_words(exit_code)};
  }
  std::unreachable();  // the last row fits every exit code
}

void append_number(std::string& text, long long number) {
  std::array<char, 20> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

// "killed by SIGSEGV"
std::string end_in_words(base::WaitResult ended) {
  if (ended.kind != base::WaitResult::Kind::killed) return "how the queue program ended is not known";
  const char* const name = ::sigabbrev_np(ended.value);
  return "killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(ended.value));
}

// No exit code of its own: it was killed by us, or took no more.
Outcome overdue(unsigned seconds) {
  Outcome outcome = told_by_exit_code(exit_timeout);
  outcome.cause = "the queue program took longer than " + std::to_string(seconds) + " seconds";
  return outcome;
}

// "1700000000 qp 4711": what queue logs are searched for.
Outcome accepted_by(pid_t child) {
  std::string verdict;
  append_number(verdict, ::time(nullptr));
  verdict += " qp ";
  append_number(verdict, child);
  return {Outcome::Result::accepted, std::move(verdict), {}};
}

}  // namespace

std::string QueueProgram::begin(MessageId, std::string_view received, std::string_view) {
  abandon();
  errors_ = {};
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
  if (!base::set_nonblocking(message->write_end) || !base::set_nonblocking(envelope->write_end) ||
      !base::set_nonblocking(errors->read_end))
    return Trouble::no_pipe;

  const int error_end = errors->write_end.number();
  const std::array redirects{
      base::Redirect{message->read_end.number(), 0}, base::Redirect{envelope->read_end.number(), 1},
      base::Redirect{error_end, settings_.error_descriptor.value_or(6)},
      base::Redirect{error_end, settings_.error_descriptor.value_or(4)}, base::Redirect{settings_.standard_error, 2}};
  const bool has_own_log = settings_.standard_error == 2 || settings_.error_descriptor == 2;
  std::array<char*, 2> argv{settings_.path.data(), nullptr};
  const auto child =
      base::spawn(settings_.path.c_str(), argv.data(), std::span(redirects).first(has_own_log ? 4 : 5), environment_);
  if (!child) return Trouble::not_executable;
  child_ = *child;
  message_ = std::move(message->write_end);
  envelope_ = std::move(envelope->write_end);
  errors_ = base::ChildText(std::move(errors->read_end));
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
    if (watched[1].revents != 0) errors_.read();
    if (watched[0].revents != 0) return Trouble::none;
  }
}

base::WaitResult QueueProgram::close_and_wait(unsigned seconds) {
  message_.close();
  envelope_.close();
  const base::Deadline deadline = base::after_seconds(seconds);
  if (!errors_.read_to_end(child_, deadline))
    trouble_ = Trouble::overdue;  // said now: a closed pipe may kill the child
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
    return overdue(settings_.max_seconds);
  if (ended.kind != base::WaitResult::Kind::exited)
    return {Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::queue_crashed)),
            end_in_words(ended)};
  if (may_have_custom_text(ended.value)) return custom_outcome(ended.value);
  if (ended.value != 0) return told_by_exit_code(ended.value);
  // Content with less than the whole message, or gone before the envelope: qmail's own code calls that a read error.
  if (trouble_ != Trouble::none) return told_by_exit_code(exit_not_read);
  return accepted_by(child);
}

// original: D is permanent, any other first octet temporary, and neither is told; less than two octets say nothing.
Outcome QueueProgram::custom_outcome(int exit_code) const {
  std::string words = errors_.words();
  if (words.size() < 2) return told_by_exit_code(exit_temporary);
  const bool is_permanent = words.front() == 'D';
  words.erase(0, 1);
  return {is_permanent ? Outcome::Result::refused : Outcome::Result::deferred, std::move(words),
          exit_in_words(exit_code)};
}

void QueueProgram::abandon() {
  if (child_ != 0) static_cast<void>(close_and_wait(settings_.max_abandon_seconds));
  trouble_ = Trouble::none;
}

}  // namespace postern::deliver
