// Does a recipient of ours have a mailbox? Looked up below the root of the Maildirs, for a delivery that makes none for it.
// in      the root as POSTERN_MAILDIR has it; an address as grammar::write_mailbox writes it
// out     Standing: valid where its folder is there, whatever is in it; unknown where it is not. Postmaster is valid
//         always (RFC 5321 4.5.1): the first message makes the folder
// errors  unknowable, and a sentence: the root is gone, it or the domain's folder has nothing in it (is it mounted?), or the
//         folder cannot be looked at, leads nowhere, or is no folder: nobody could deliver there either
// agrees  with the delivery: both name the folder by config/maildir_name.hpp
// source  RFC 5321 3.3; docs/decisions/0016-who-is-there.md
#pragma once

#include <string>
#include <string_view>

#include "ask/valid_recipients.hpp"

namespace postern::ask {

// Blocks for as long as the file system takes.
[[nodiscard]] ValidRecipients::Standing mailbox_standing(const std::string& root, std::string_view address,
                                                         std::string& problem);

}  // namespace postern::ask
