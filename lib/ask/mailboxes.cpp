#include "ask/mailboxes.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/child.hpp"
#include "config/maildir_name.hpp"

namespace postern::ask {
namespace {

using Standing = ValidRecipients::Standing;

// 0: a folder; ENOENT: there is none; any other errno: nobody knows.
int look_at(const base::Descriptor& root, const std::string& path, int flags) {
  struct stat status{};
  if (::fstatat(root.number(), path.c_str(), &status, flags) != 0) return errno;
  return S_ISDIR(status.st_mode) || (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : ENOTDIR;
}

// ENOENT of a whole path: a folder on its way is missing, or is a link to what is missing. Only the first says that there is
// no such recipient.
int why_absent(const base::Descriptor& root, const std::string& mailbox) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = mailbox.find('/', end + 1);
    const std::string folder = mailbox.substr(0, end);
    if (const int error = look_at(root, folder, AT_SYMLINK_NOFOLLOW); error != 0) return error;
    if (const int error = look_at(root, folder, 0); error != 0) return error == ENOENT ? ENOLINK : error;
  }
  return EAGAIN;  // it is there by now
}

// A mount point without its file system: nobody has a mailbox in it, and that must refuse nobody for good.
bool is_empty(const base::Descriptor& root) {
  const int own = ::openat(root.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const folder = own < 0 ? nullptr : ::fdopendir(own);
  if (folder == nullptr) {
    base::Descriptor(own).close();
    return true;
  }
  const dirent* entry = nullptr;
  do {
    entry = ::readdir(folder);  // of a stream of our own
  } while (entry != nullptr && (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0));
  ::closedir(folder);
  return entry == nullptr;
}

std::string sentence(const std::string& where, const char* what) {
  return where + ": " + what + ": whether a recipient has a mailbox cannot be known";
}

}  // namespace

Standing mailbox_standing(const std::string& root, std::string_view address, std::string& problem) {
  if (is_postmaster(address)) return Standing::valid;
  const base::Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) {
    problem = sentence("POSTERN_MAILDIR=\"" + root + '"', std::strerror(errno));
    return Standing::unknowable;
  }
  const std::string mailbox = config::mailbox_path(address, {});
  int error = look_at(folder, mailbox, 0);
  if (error == 0) return Standing::valid;
  if (error == ENOENT) error = why_absent(folder, mailbox);
  if (error == ENOENT && !is_empty(folder)) return Standing::unknown;
  problem = error == ENOENT ? sentence("POSTERN_MAILDIR=\"" + root + '"', "nothing is in it (is it mounted?)")
                            : sentence(root + '/' + mailbox, std::strerror(error));
  return Standing::unknowable;
}

}  // namespace postern::ask
