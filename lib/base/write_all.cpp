#include "base/write_all.hpp"

#include <unistd.h>

#include <cerrno>

namespace postern::base {

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

}  // namespace postern::base
