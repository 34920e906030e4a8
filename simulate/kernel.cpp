#include "simulate/kernel.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "simulate/disk_log.hpp"

namespace postern::simulate {

Kernel& kernel() {
  static Kernel one;
  return one;
}

namespace {

int returned(int error) {
  if (error != 0) errno = error;
  return error == 0 ? 0 : -1;
}

int opened(int error, int number) { return error == 0 ? number : returned(error); }

bool is_simulated(int number) { return number >= first_descriptor; }

// "/proc/self/fd/N": N, where it is one of ours; else -1.
int named_descriptor(std::string_view path) {
  constexpr std::string_view folder = "/proc/self/fd/";
  int number = -1;
  if (path.starts_with(folder)) std::from_chars(path.data() + folder.size(), path.data() + path.size(), number);
  return is_simulated(number) ? number : -1;
}

Disk& disk() { return *kernel().disk; }

}  // namespace
}  // namespace postern::simulate

// The linker chooses these names.
// NOLINTBEGIN(bugprone-reserved-identifier)
using namespace postern::simulate;

extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_openat(int folder, const char* path, int flags, ...);
int __real_access(const char* path, int mode);
int __real_mkdirat(int folder, const char* path, mode_t mode);
ssize_t __real_write(int number, const void* octets, size_t count);
ssize_t __real_writev(int number, const iovec* pieces, int count);
ssize_t __real_pread(int number, void* octets, size_t count, off_t from);
int __real_sync_file_range(int number, off64_t from, off64_t octets, unsigned flags);
int __real_linkat(int from, const char* old_path, int to, const char* path, int flags);
int __real_renameat2(int from, const char* old_path, int to, const char* path, unsigned flags);
int __real_unlinkat(int folder, const char* path, int flags);
int __real_fstat(int number, struct stat* found);
int __real_fchmod(int number, mode_t mode);
int __real_fsync(int number);
int __real_close(int number);
int __real_clock_gettime(clockid_t clock, timespec* now);

int __wrap_open(const char* path, int flags, ...) {
  if (path == disk_root) {
    int number = -1;
    const int error = disk().open_root(number);
    return opened(error, number);
  }
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (!is_simulated(folder)) return __real_openat(folder, path, flags, mode);
  int number = -1;
  const bool is_unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  const int error = is_unnamed ? disk().open_unnamed(folder, number) : disk().open(folder, path, flags, number);
  return opened(error, number);
}

int __wrap_access(const char* path, int mode) { return named_descriptor(path) >= 0 ? 0 : __real_access(path, mode); }

int __wrap_mkdirat(int folder, const char* path, mode_t mode) {
  if (!is_simulated(folder)) return __real_mkdirat(folder, path, mode);
  const int error = disk().make_folder(folder, path, mode);
  log_make(path, error);
  return returned(error);
}

ssize_t __wrap_write(int number, const void* octets, size_t count) {
  if (!is_simulated(number)) return __real_write(number, octets, count);
  std::size_t written = 0;
  const int error = disk().write(number, {static_cast<const char*>(octets), count}, written);
  return error == 0 ? static_cast<ssize_t>(written) : returned(error);
}

ssize_t __wrap_writev(int number, const iovec* pieces, int count) {
  if (!is_simulated(number)) return __real_writev(number, pieces, count);
  std::size_t all = 0;
  for (const iovec& piece : std::span(pieces, static_cast<std::size_t>(count))) {
    const ssize_t written = __wrap_write(number, piece.iov_base, piece.iov_len);
    if (written < 0) return all == 0 ? written : static_cast<ssize_t>(all);
    all += static_cast<std::size_t>(written);
    if (static_cast<std::size_t>(written) != piece.iov_len) break;
  }
  return static_cast<ssize_t>(all);
}

ssize_t __wrap_pread(int number, void* octets, size_t count, off_t from) {
  if (!is_simulated(number)) return __real_pread(number, octets, count, from);
  std::string_view found;
  if (const int error = disk().read(number, static_cast<std::size_t>(from), found); error != 0) return returned(error);
  return static_cast<ssize_t>(found.copy(static_cast<char*>(octets), count));
}
ssize_t __wrap___pread_chk(int number, void* octets, size_t count, off_t from, size_t) {
  return __wrap_pread(number, octets, count, from);
}

int __wrap_sync_file_range(int number, off64_t from, off64_t octets, unsigned flags) {
  return is_simulated(number) ? 0 : __real_sync_file_range(number, from, octets, flags);
}

int __wrap_linkat(int from, const char* old_path, int to, const char* path, int flags) {
  if (!is_simulated(to)) return __real_linkat(from, old_path, to, path, flags);
  const int named = named_descriptor(old_path);
  const int file = named >= 0 ? named : from;
  const int error = disk().link(file, to, path);
  log_link(disk(), file, to, error);
  return returned(error);
}

int __wrap_renameat2(int from, const char* old_path, int to, const char* path, unsigned flags) {
  if (!is_simulated(to)) return __real_renameat2(from, old_path, to, path, flags);
  return returned(disk().rename(from, old_path, path));
}

int __wrap_unlinkat(int folder, const char* path, int flags) {
  if (!is_simulated(folder)) return __real_unlinkat(folder, path, flags);
  log_unlink(disk(), folder, path);
  return returned(disk().unlink(folder, path));
}

int __wrap_fstat(int number, struct stat* found) {
  if (!is_simulated(number)) return __real_fstat(number, found);
  mode_t* mode = nullptr;
  const int error = disk().mode_of(number, mode);
  *found = {};
  if (error == 0) found->st_mode = *mode;
  log_look(disk(), number, error);
  return returned(error);
}

int __wrap_fchmod(int number, mode_t mode) {
  if (!is_simulated(number)) return __real_fchmod(number, mode);
  mode_t* found = nullptr;
  const int error = disk().mode_of(number, found);
  if (error == 0) *found = mode;
  log_unmark(disk(), number, error);
  return returned(error);
}

int __wrap_fsync(int number) {
  if (!is_simulated(number)) return __real_fsync(number);
  const int error = disk().sync(number);
  log_sync(disk(), number, error);
  return returned(error);
}

int __wrap_close(int number) {
  if (!is_simulated(number)) return __real_close(number);
  disk().close(number);
  return 0;
}

int __wrap_clock_gettime(clockid_t clock, timespec* now) {
  if (clock != CLOCK_REALTIME || kernel().disk == nullptr) return __real_clock_gettime(clock, now);
  constexpr std::int64_t second = 1'000'000'000;
  *now = {.tv_sec = kernel().wall_nanoseconds / second, .tv_nsec = kernel().wall_nanoseconds % second};
  return 0;
}

pid_t __wrap_gettid() { return 7; }
}
// NOLINTEND(bugprone-reserved-identifier)
