#include "deliver/maildir/maildir.hpp"

namespace postern::deliver {

std::string Maildir::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  message_.begin(id, received, reverse_path);
  message_.open();
  return message_.is_sound() ? std::string() : message_.outcome().cause;
}

Outcome Maildir::finish(std::string_view envelope_octets) {
  const PreparedMessage prepared{.message = &message_, .envelope_octets = envelope_octets};
  return group_.commit({&prepared, 1}).front();
}

}  // namespace postern::deliver
