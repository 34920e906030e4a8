#include "daemon/maildir.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace postern::daemon {

bool Maildir::usable(const std::string& root) {
  const Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.is_open() && ::faccessat(folder.number(), ".", W_OK | X_OK, AT_EACCESS) == 0;
}

std::string Maildir::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  message_.begin(id, received, reverse_path);
  message_.open();
  return message_.is_sound() ? std::string() : message_.outcome().cause;
}

Outcome Maildir::finish(std::string_view envelope_octets) {
  const PreparedMessage prepared{.message = &message_, .envelope_octets = envelope_octets};
  return group_.commit({&prepared, 1}).front();
}

}  // namespace postern::daemon
