// From root to an ordinary user, for good.
// in      user[:group[:group...]] by name or number; the first group is the primary one, the rest are supplementary
// out     after drop_privileges the process has these ids and no others, no capability, and cannot come back: tried
// when    look_up before change_root, which hides the user database; drop_privileges after binding and before the first
//         thread: glibc gives new ids to all threads, but not all at once
// errors  a sentence with place and remedy. After an error of drop_privileges the process is in between: end it
// source  setresuid(2), setgroups(2), capabilities(7); setuidgid(8), chpst(8) for the form of the names
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace postern::server {

struct Account {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // all of them, the primary one first
  std::string name;           // as it was written
};

// root, as user or as group, is no account to drop to.
[[nodiscard]] std::expected<Account, std::string> look_up(std::string_view user_and_groups);

// The folder becomes `/` and the current folder. Afterwards there is no /proc, no user database, no resolver, unless the
// folder has them: mail is then written under a name in ROOT/.tmp (lib/deliver/mail_file).
[[nodiscard]] std::expected<void, std::string> change_root(const std::string& folder);

// Nothing to do when the process is that user already and is in no group that the account has not.
[[nodiscard]] std::expected<void, std::string> drop_privileges(const Account& account);

}  // namespace postern::server
