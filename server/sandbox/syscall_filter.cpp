#include "server/sandbox/syscall_filter.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "server/sandbox/syscall_programs.hpp"

namespace postern::server {
namespace {

constexpr unsigned flags_of(FilterKind kind) {
  return SECCOMP_FILTER_FLAG_TSYNC | (kind == FilterKind::strict ? SECCOMP_FILTER_FLAG_LOG : 0U);
}

}  // namespace

std::expected<void, int> load_filter(FilterKind kind) {
  const std::span<const sock_filter> program = kind == FilterKind::strict ? strict_program() : open_program();
  std::array<sock_filter, BPF_MAXINSNS> own{};
  const auto end = std::ranges::copy(program, own.begin()).out;
  for (sock_filter& each : std::span(own.begin(), end))
    if (each.k == place_of_own_process) each.k = static_cast<std::uint32_t>(::getpid());
  const sock_fprog loaded{.len = static_cast<unsigned short>(program.size()), .filter = own.data()};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags_of(kind), &loaded);
  if (result == 0) return {};
  return std::unexpected(result > 0 ? ESRCH : errno);  // above 0: the thread that cannot have it
}

}  // namespace postern::server
