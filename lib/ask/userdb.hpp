// Whether Dovecot has a user for a recipient: the name that it is asked about, and what its answer comes to.
// in      a recipient as it is kept; an answer (userdb_conversation.hpp), or the address to ask
// out     RecipientStanding: USER is recipient_ours, NOTFOUND recipient_unknown, and all else recipient_unknowable
// bounds  ask_userdb_by_waiting() waits for at most spec::max_probe_seconds, over a connection of its own
// errors  recipient_unknowable, and a sentence for the log that names the address
// source  docs/decisions/0024-ask-dovecot.md
#pragma once

#include <string>
#include <string_view>

#include "ask/userdb_conversation.hpp"
#include "base/socket_address.hpp"
#include "limits/known_recipients.hpp"

namespace postern::ask {

// Without its detail: what follows the first + of the local part, unless that begins with it. Dovecot's LMTP looks up the same
// (recipient_delimiter).
[[nodiscard]] std::string userdb_name_of(std::string_view recipient);

// address   as the operator wrote it
[[nodiscard]] limits::RecipientStanding standing_of(const UserdbAnswer& answer, std::string_view address);

[[nodiscard]] limits::RecipientStanding ask_userdb_by_waiting(const base::SocketAddress& userdb,
                                                              std::string_view recipient);

}  // namespace postern::ask
