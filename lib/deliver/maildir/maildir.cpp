#include "deliver/maildir/maildir.hpp"

namespace postern::deliver {

std::string Maildir::begin(MessageId id, std::string_view received, std::string_view reverse_path) {
  message_.begin(id, received, reverse_path);
  if (file_ == File::at_once) message_.open();
  return message_.is_sound() ? std::string() : message_.outcome().cause;
}

Outcome Maildir::finish(std::string_view octets, std::string_view envelope_octets) {
  const PreparedMessage prepared{.message = &message_, .envelope_octets = envelope_octets, .octets = octets};
  return MaildirGroup(root_, SyncMany::Way::in_turn).commit({&prepared, 1}).front();
}

void Maildir::finish_in(MaildirGroup& group, std::string_view octets, std::string_view envelope_octets,
                        Outcome& outcome) {
  group.add({.message = &message_, .envelope_octets = envelope_octets, .octets = octets}, outcome);
}

}  // namespace postern::deliver
