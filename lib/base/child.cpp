#include "base/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace postern::base {
namespace {

constexpr int first_unnamed = 3;  // every program has 0, 1 and 2

int highest_target(std::span<const Redirect> redirects) {
  int highest = first_unnamed - 1;
  for (const Redirect& redirect : redirects) highest = std::max(highest, redirect.to);
  return highest;
}

bool is_target(std::span<const Redirect> redirects, int number) {
  return std::ranges::any_of(redirects, [number](const Redirect& redirect) { return redirect.to == number; });
}

// The steps that the child takes between clone and exec.
class FileActions {
 public:
  FileActions() { error_ = posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }

  void redirect_all(std::span<const Redirect> redirects) {
    const int above_all = highest_target(redirects) + 1;
    for (std::size_t i = 0; i < redirects.size(); ++i) {
      int from = redirects[i].from;
      // An earlier step would have overwritten this source, so it moves out of the way first.
      if (is_target(redirects.first(i), from)) from = keep_aside(i, from, above_all);
      note(posix_spawn_file_actions_adddup2(&actions_, from, redirects[i].to));
    }
    // After those: whatever we ourselves inherited without close-on-exec stops here.
    for (int number = first_unnamed; number < above_all; ++number)
      if (!is_target(redirects, number)) note(posix_spawn_file_actions_addclose(&actions_, number));
    note(posix_spawn_file_actions_addclosefrom_np(&actions_, above_all));
  }

  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void note(int error) {
    if (error_ == 0) error_ = error;
  }

  int keep_aside(std::size_t i, int from, int lowest) {
    aside_[i] = Descriptor(::fcntl(from, F_DUPFD_CLOEXEC, lowest));
    if (!aside_[i].is_open()) note(errno);
    return std::max(aside_[i].number(), 0);
  }

  posix_spawn_file_actions_t actions_{};
  std::array<Descriptor, max_redirects> aside_;
  int error_ = 0;
};

// What exec would otherwise hand on: blocked and ignored signals.
class Attributes {
 public:
  explicit Attributes(Group group) {
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int number : {SIGPIPE, SIGXFSZ, SIGCHLD}) sigaddset(&signals, number);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    const short own_group = group == Group::own ? POSIX_SPAWN_SETPGROUP : 0;
    posix_spawnattr_setflags(&attributes_,
                             static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | own_group));
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }

  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

WaitResult result_of(int status) {
  if (WIFEXITED(status)) return {WaitResult::Kind::exited, WEXITSTATUS(status)};
  return {WaitResult::Kind::killed, WTERMSIG(status)};
}

// Whether the child is gone now; with WNOHANG in `options` that may be no.
bool take_status(pid_t child, int options, WaitResult& result) {
  int status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(child, &status, options);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  result = got == child ? result_of(status) : WaitResult{WaitResult::Kind::lost, 0};
  return true;
}

// Sleeps until the child has ended, the deadline, or (where the kernel reports no ends of children) a moment.
void sleep_until_change(const Descriptor& ended, Deadline deadline) {
  constexpr int moment_milliseconds = 20;
  const int left = milliseconds_until(deadline);
  pollfd watched{.fd = ended.number(), .events = POLLIN, .revents = 0};
  ::poll(&watched, 1, ended.is_open() ? left : std::min(left, moment_milliseconds));
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  number_ = std::exchange(other.number_, -1);
  return *this;
}

void Descriptor::close() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

std::expected<Pipe, int> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(errno);
  return Pipe{.read_end = Descriptor(ends[0]), .write_end = Descriptor(ends[1])};
}

Deadline after_seconds(unsigned seconds) { return std::chrono::steady_clock::now() + std::chrono::seconds(seconds); }

Deadline end_of_share(Deadline now, Deadline end, std::size_t shares) {
  return now < end && shares > 1 ? now + (end - now) / static_cast<std::chrono::steady_clock::rep>(shares) : end;
}

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, INT_MAX));
}

std::expected<pid_t, int> spawn(const char* path, char* const argv[], std::span<const Redirect> redirects,
                                const Environment& environment, Group group) {
  if (redirects.size() > max_redirects) return std::unexpected(EINVAL);
  FileActions actions;
  actions.redirect_all(redirects);
  if (actions.error() != 0) return std::unexpected(actions.error());
  const Attributes attributes(group);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, path, actions.get(), attributes.get(), argv, environment.pointers());
  if (error != 0) return std::unexpected(error);
  return child;
}

// By number: <sys/pidfd.h> of glibc 2.36 cannot be linked from C++.
Descriptor watch(pid_t child) { return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child, 0))); }

WaitResult wait_for(pid_t child, Deadline deadline) {
  WaitResult result{};
  if (take_status(child, WNOHANG, result)) return result;
  const Descriptor ended = watch(child);
  while (milliseconds_until(deadline) > 0) {
    sleep_until_change(ended, deadline);
    if (take_status(child, WNOHANG, result)) return result;
  }
  ::kill(-child, SIGKILL);  // no such group: it does not lead one
  ::kill(child, SIGKILL);
  take_status(child, 0, result);
  if (result.kind != WaitResult::Kind::killed) return result;  // it ended by itself at the last moment
  return {WaitResult::Kind::overdue, 0};
}

}  // namespace postern::base
