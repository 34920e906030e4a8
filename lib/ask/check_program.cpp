#include "ask/check_program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "base/child.hpp"
#include "base/program_file.hpp"
#include "base/wipe.hpp"

namespace postern::ask {
namespace {

using Exchange = base::SecretBuffer<max_check_octets>;

CheckResult cannot_exec(std::string_view program, int error) {
  return {Verdict::broken, "cannot exec the check program " + std::string(program) + ": " + std::strerror(error)};
}

// name NUL password NUL and an empty third field, as jms1's and qmail's smtpd send it.
bool write_credentials(const Credentials& credentials, Exchange& exchange) {
  return exchange.append_terminated(credentials.username) && exchange.append_terminated(credentials.password) &&
         exchange.append_terminated({});
}

// A new pipe takes max_check_octets without waiting for a reader (PIPE_BUF, pipe(7)); we hold the reading end
// meanwhile.
std::expected<base::Descriptor, int> piped(std::string_view octets) {
  auto ends = base::make_pipe();
  if (!ends) return std::unexpected(ends.error());
  const ssize_t written = ::write(ends->write_end.number(), octets.data(), octets.size());
  if (written != static_cast<ssize_t>(octets.size())) return std::unexpected(EIO);
  return std::move(ends->read_end);
}

CheckResult result_of_exit(int code) {
  switch (code) {
    case 0: return {Verdict::accepted, {}};
    case 1: return {Verdict::rejected, "exit 1"};
    case 2: return {Verdict::broken, "exit 2"};      // misuse
    case 111: return {Verdict::broken, "exit 111"};  // temporary trouble
    case 126:                                        // POSIX sh, env: the command could not be executed
    case 127: return {Verdict::broken, "exit 126 or 127"};
    default: return {Verdict::rejected, "an exit code that means no"};
  }
}

CheckResult result_of(base::WaitResult result) {
  switch (result.kind) {
    case base::WaitResult::Kind::exited: return result_of_exit(result.value);
    case base::WaitResult::Kind::killed: return {Verdict::broken, "killed by a signal"};
    case base::WaitResult::Kind::overdue: return {Verdict::broken, "too slow, killed"};
    case base::WaitResult::Kind::lost: break;
  }
  return {Verdict::broken, "exit code lost"};
}

}  // namespace

CheckResult CheckProgram::check(const Credentials& credentials, std::uint64_t /*now_seconds*/) {
  if (has_nul(credentials)) return {Verdict::rejected, "NUL in the credentials"};
  Exchange exchange;
  if (!write_credentials(credentials, exchange)) return {Verdict::rejected, "credentials too long"};
  const std::string path = base::find_program(argv_[0], environment_);
  if (path.empty()) return cannot_exec(argv_[0], ENOENT);

  const base::Descriptor nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto secret = piped(exchange.text());
  if (!nowhere.is_open() || !secret) return {Verdict::broken, "no descriptors for the check program"};
  const std::array redirects{base::Redirect{nowhere.number(), 0}, base::Redirect{nowhere.number(), 1},
                             base::Redirect{secret->number(), 3}, base::Redirect{standard_error_, 2}};
  const auto child =
      base::spawn(path.c_str(), argv_, std::span(redirects).first(standard_error_ == 2 ? 3 : 4), environment_);
  if (!child) return cannot_exec(path, child.error());
  return result_of(base::wait_for(*child, base::after_seconds(max_seconds_)));
}

}  // namespace postern::ask
