#include "observe/process_figures.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/child.hpp"

namespace postern::observe {
namespace {

std::optional<std::uint64_t> count_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count - 1;  // the folder's own
}

// statm is `total resident shared ...`, in pages.
std::optional<std::uint64_t> read_resident_octets() {
  const base::Descriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> room;
  const ssize_t got = file.is_open() ? ::read(file.number(), room.data(), room.size()) : -1;
  if (got <= 0) return std::nullopt;
  const std::string_view line(room.data(), static_cast<std::size_t>(got));
  const std::string_view resident = line.substr(line.find(' ') + 1);
  std::uint64_t pages = 0;
  if (std::from_chars(resident.data(), resident.data() + resident.size(), pages).ec != std::errc{}) return std::nullopt;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> read_max_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

std::optional<std::chrono::nanoseconds> read_cpu_time() {
  timespec spent{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0) return std::nullopt;
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

// proc(5), stat: the 22nd field counts clock ticks since the machine was started; the 2nd, a name in brackets, may hold
// anything.
std::optional<std::uint64_t> read_start() {
  const base::Descriptor file(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> room;
  const ssize_t got = file.is_open() ? ::read(file.number(), room.data(), room.size()) : -1;
  if (got <= 0) return std::nullopt;
  std::string_view rest(room.data(), static_cast<std::size_t>(got));
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  constexpr int fields_before = 19;  // of those after the name
  for (int i = 0; i < fields_before; ++i) rest.remove_prefix(std::min(rest.find(' ', 1), rest.size()));
  rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
  std::uint64_t ticks = 0;
  timespec now{}, since_boot{};
  if (std::from_chars(rest.data(), rest.data() + rest.size(), ticks).ec != std::errc{} ||
      ::clock_gettime(CLOCK_REALTIME, &now) != 0 || ::clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0)
    return std::nullopt;
  const auto boot = static_cast<std::uint64_t>(now.tv_sec - since_boot.tv_sec);
  return boot + ticks / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessFigures read_process_figures() {
  return {.open_descriptors = count_descriptors(),
          .max_descriptors = read_max_descriptors(),
          .resident_octets = read_resident_octets(),
          .cpu_time = read_cpu_time(),
          .started_seconds = read_start()};
}

}  // namespace postern::observe
