#include "server/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace postern::server {
namespace {

using Result = std::expected<void, std::string>;

// Asks what personality we have: harmless, never needed, not on the list.
bool is_strict_filter_in_force() {
  return ::personality(0xffffffff) == -1 && errno == ENOSYS &&
         ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
}

// No ring of no entries: without a filter the kernel would say EFAULT or EINVAL, or ENOSYS when it has no io_uring.
bool is_open_filter_in_force() {
  return ::syscall(SYS_io_uring_setup, 0, nullptr) == -1 && errno == ENOSYS &&
         ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
}

bool can_list_the_root_folder() { return base::Descriptor(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)).is_open(); }

bool names_the_root_folder(const std::vector<std::string>& paths) {
  return std::ranges::find(paths, "/") != paths.end();
}

Result confine(Sandbox& sandbox, const SandboxPaths& reach) {
  if (auto landlock = restrict_reach(reach))
    sandbox.landlock = std::move(*landlock);
  else
    return std::unexpected(std::move(landlock.error()));
  if (sandbox.landlock.abi == 0) {
    sandbox.warnings.push_back("Landlock is off: the kernel has none or an old one (5.19 and lsm=landlock are needed)");
    return {};
  }
  const bool may_list = names_the_root_folder(reach.writable) || names_the_root_folder(reach.readable);
  if (!may_list && can_list_the_root_folder())
    return std::unexpected(
        "Landlock is said to be in force, but the root folder can be listed: do not trust this kernel");
  return {};
}

bool lacks_seccomp(int error) { return error == EINVAL || error == ENOSYS; }

Result filter_strictly(Sandbox& sandbox) {
  const auto loaded = load_filter(FilterKind::strict);
  if (loaded && is_strict_filter_in_force()) return {};
  if (loaded) return std::unexpected("seccomp is said to be in force, but a forbidden call is not refused");
  if (!lacks_seccomp(loaded.error()))
    return std::unexpected(std::string("cannot filter system calls: ") + ::strerror(loaded.error()));
  sandbox.warnings.push_back(std::string("seccomp is off: the kernel has none (") + ::strerror(loaded.error()) + ")");
  return {};
}

bool has_filter() { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER; }

}  // namespace

std::expected<Sandbox, std::string> enter_strict_sandbox(const SandboxPaths& reach) {
  Sandbox sandbox;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(std::string("cannot give up new privileges: ") + ::strerror(errno));
  if (const Result done = confine(sandbox, reach); !done) return std::unexpected(done.error());
  if (const Result done = filter_strictly(sandbox); !done) return std::unexpected(done.error());
  sandbox.in_force = has_filter() ? "seccomp strict, " : "seccomp off, ";
  sandbox.in_force +=
      sandbox.landlock.abi == 0 ? "Landlock off" : "Landlock ABI " + std::to_string(sandbox.landlock.abi);
  return sandbox;
}

std::expected<Sandbox, std::string> enter_open_sandbox() {
  Sandbox sandbox{.in_force = "seccomp open, Landlock off: programs are run", .warnings = {}, .landlock = {}};
  const auto loaded = load_filter(FilterKind::open);
  if (loaded && is_open_filter_in_force()) return sandbox;
  if (loaded) return std::unexpected("seccomp is said to be in force, but a forbidden call is not refused");
  sandbox.in_force = "seccomp off, Landlock off: programs are run";
  if (loaded.error() == EACCES || loaded.error() == EPERM) {
    sandbox.warnings.push_back(
        "seccomp is off: set-user-id programs may be run, and then only root can load a filter; "
        "start as root and name a user to become");
    return sandbox;
  }
  if (!lacks_seccomp(loaded.error()))
    return std::unexpected(std::string("cannot filter system calls: ") + ::strerror(loaded.error()));
  sandbox.warnings.push_back(std::string("seccomp is off: the kernel has none (") + ::strerror(loaded.error()) + ")");
  return sandbox;
}

}  // namespace postern::server
