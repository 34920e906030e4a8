#include "deliver/mail_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/write_all.hpp"

namespace postern::deliver {
namespace {

constexpr mode_t only_owner = 0600;

// The one way to give a name to an unnamed file that needs no privilege on any kernel: its presence is checked
// before the first such file, because later it would be too late.
std::string path_of(const base::Descriptor& file) { return "/proc/self/fd/" + std::to_string(file.number()); }

// Looked for once a process.
bool has_proc() {
  static const bool is_there = ::access("/proc/self/fd", F_OK) == 0;
  return is_there;
}

// link(2): another file system; one without hard links (each kind has its own errno for that); no more links.
bool wants_a_copy(int error) {
  return error == EXDEV || error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EMLINK;
}

// Names are unique, so that nothing is there; a file system that cannot promise it renames all the same.
int rename_new(const base::Descriptor& folder, const std::string& from, const std::string& to) {
  if (::renameat2(folder.number(), from.c_str(), folder.number(), to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::faccessat(folder.number(), to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return ::renameat(folder.number(), from.c_str(), folder.number(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

int MailFile::create(const base::Descriptor& root, const std::string& unique_name) {
  discard();
  root_ = root.number();
  const int error = needs_name_ ? EOPNOTSUPP : create_unnamed();
  // EISDIR: a kernel that does not know O_TMPFILE.
  return error == EOPNOTSUPP || error == EISDIR ? create_named(unique_name) : error;
}

int MailFile::create_unnamed() {
  if (!has_proc()) return EOPNOTSUPP;
  file_ = base::Descriptor(::openat(root_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, only_owner));
  return file_.is_open() ? 0 : errno;
}

int MailFile::create_named(const std::string& unique_name) {
  needs_name_ = true;
  if (::mkdirat(root_, ".tmp", 0700) != 0 && errno != EEXIST) return errno;
  name_ = ".tmp/" + unique_name;
  file_ = base::Descriptor(::openat(root_, name_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, only_owner));
  if (file_.is_open()) return 0;
  const int error = errno;
  name_.clear();  // not ours to unlink
  return error;
}

int MailFile::write(std::span<std::string_view> pieces) { return base::write_all(file_, pieces); }

void MailFile::start_sync() const { ::sync_file_range(file_.number(), 0, 0, SYNC_FILE_RANGE_WRITE); }

// By the descriptor itself where the kernel lets us (with CAP_DAC_READ_SEARCH, and since Linux 6.10 who opened the file);
// ENOENT is its refusal. The way through /proc costs more, and is open to all.
int MailFile::hard_link(const base::Descriptor& folder, const std::string& name) const {
  if (!name_.empty()) return ::linkat(root_, name_.c_str(), folder.number(), name.c_str(), 0) == 0 ? 0 : errno;
  if (::linkat(file_.number(), "", folder.number(), name.c_str(), AT_EMPTY_PATH) == 0) return 0;
  if (errno != ENOENT) return errno;
  const std::string path = path_of(file_);
  return ::linkat(AT_FDCWD, path.c_str(), folder.number(), name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

int MailFile::link_into(const base::Descriptor& folder, const std::string& name) const {
  const int error = hard_link(folder, name);
  return wants_a_copy(error) ? copy_into(folder, name, 0, {}) : error;
}

int MailFile::copy_into(const base::Descriptor& folder, const std::string& name, std::size_t at,
                        std::string_view text) const {
  const std::string draft = "../tmp/" + name;
  const base::Descriptor copy(
      ::openat(folder.number(), draft.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, only_owner));
  if (!copy.is_open()) return errno;
  int error = copy_octets(copy, at, text);
  if (error == 0 && ::fsync(copy.number()) != 0) error = errno;
  if (error == 0) error = rename_new(folder, draft, name);
  if (error != 0) ::unlinkat(folder.number(), draft.c_str(), 0);
  return error;
}

int MailFile::copy_octets(const base::Descriptor& copy, std::size_t at, std::string_view text) const {
  constexpr std::size_t piece_octets = 64UZ * 1024;
  const auto piece = std::make_unique_for_overwrite<char[]>(piece_octets);
  std::size_t wanted = at == 0 ? piece_octets : at;
  for (off_t from = 0;;) {
    const ssize_t got = ::pread(file_.number(), piece.get(), std::min(wanted, piece_octets), from);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? 0 : errno;
    if (const int error = base::write_all(copy, {piece.get(), static_cast<std::size_t>(got)}); error != 0) return error;
    from += got;
    const bool is_there = static_cast<std::size_t>(from) == at;
    if (is_there)
      if (const int error = base::write_all(copy, text); error != 0) return error;
    wanted = static_cast<std::size_t>(from) < at ? at - static_cast<std::size_t>(from) : piece_octets;
  }
}

void MailFile::discard() {
  if (!name_.empty()) ::unlinkat(root_, name_.c_str(), 0);
  name_.clear();
  file_.close();
}

}  // namespace postern::deliver
