#include "ask/mailboxes.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

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

struct Absence {
  int error;
  std::string within;  // the last folder that is there; empty: the root
};

// ENOENT of a whole path: a folder on its way is missing, or is a link to what is missing. Only the first says that there is
// no such recipient.
Absence why_absent(const base::Descriptor& root, const std::string& mailbox) {
  std::string within;
  for (std::size_t end = 0; end != std::string::npos;) {
    end = mailbox.find('/', end + 1);
    std::string folder = mailbox.substr(0, end);
    if (const int error = look_at(root, folder, AT_SYMLINK_NOFOLLOW); error != 0) return {error, within};
    if (const int error = look_at(root, folder, 0); error != 0) return {error == ENOENT ? ENOLINK : error, within};
    within = std::move(folder);
  }
  return {EAGAIN, within};  // it is there by now
}

// 0: something is in it. ENODATA: a mount point without its file system, of all mail or of a domain: nobody has a mailbox in it,
// and that must refuse nobody for good. Any other errno: nobody knows.
int look_into(const base::Descriptor& root, const std::string& within) {
  const int own = ::openat(root.number(), within.empty() ? "." : within.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const folder = own < 0 ? nullptr : ::fdopendir(own);
  if (folder == nullptr) {
    const int error = errno;
    base::Descriptor(own).close();
    return error;
  }
  const dirent* entry = nullptr;
  do {
    entry = ::readdir(folder);  // of a stream of our own
  } while (entry != nullptr && (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0));
  ::closedir(folder);
  return entry == nullptr ? ENODATA : 0;
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
  Absence absence{.error = look_at(folder, mailbox, 0), .within = {}};
  if (absence.error == 0) return Standing::valid;
  if (absence.error == ENOENT) absence = why_absent(folder, mailbox);
  const int error = absence.error == ENOENT ? look_into(folder, absence.within) : absence.error;
  if (error == 0) return Standing::unknown;
  const std::string within = absence.within.empty() ? "POSTERN_MAILDIR=\"" + root + '"' : root + '/' + absence.within;
  problem = error == ENODATA ? sentence(within, "nothing is in it (is it mounted?)")
                             : sentence(root + '/' + mailbox, std::strerror(error));
  return Standing::unknowable;
}

}  // namespace postern::ask
