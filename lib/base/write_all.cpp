#include "base/write_all.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace postern::base {
namespace {

ssize_t write_some(const Descriptor& file, std::span<const std::string_view> pieces) {
  std::array<iovec, max_pieces> vectors;
  const std::size_t count = std::min(pieces.size(), max_pieces);
  for (std::size_t i = 0; i < count; ++i)
    vectors[i] = {.iov_base = const_cast<char*>(pieces[i].data()), .iov_len = pieces[i].size()};
  return ::writev(file.number(), vectors.data(), static_cast<int>(count));
}

}  // namespace

int write_all(const Descriptor& file, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(file.number(), octets.data(), octets.size());
    if (written >= 0)
      octets.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

int write_all(const Descriptor& file, std::span<std::string_view> pieces) {
  while (!pieces.empty()) {
    if (pieces.front().empty()) {
      pieces = pieces.subspan(1);
      continue;
    }
    if (pieces.size() == 1) return write_all(file, pieces.front());
    const ssize_t written = write_some(file, pieces);
    if (written < 0 && errno != EINTR) return errno;
    for (auto left = static_cast<std::size_t>(std::max<ssize_t>(written, 0)); left != 0;) {
      const std::size_t taken = std::min(left, pieces.front().size());
      pieces.front().remove_prefix(taken);
      left -= taken;
      if (pieces.front().empty()) pieces = pieces.subspan(1);
    }
  }
  return 0;
}

}  // namespace postern::base
