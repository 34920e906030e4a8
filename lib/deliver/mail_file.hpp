// A message on its way to disk: a file that no mailbox shows yet.
// in      octets; then fsync(2), and only then link_into as many folders as it belongs to
// out     in each folder the same file (one inode: unlinking one leaves the others), mode 0600. Where the folder is on another
//         file system, or its file system links nothing (or nothing more to this file): a copy, synced in the folder's
//         ../tmp/ and renamed, as maildir(5) has it, so that no reader sees a part of it
// lives   unnamed (O_TMPFILE), so that a crash leaves nothing. Where the kernel, the file system or a missing /proc
//         does not allow that: a name in ROOT/.tmp, unlinked by discard; what a crash leaves there is harmless
// errors  errno as a value, 0 for none
// source  open(2): O_TMPFILE; link(2): EXDEV, EPERM, EMLINK; maildir(5)
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/child.hpp"

namespace postern::deliver {

class MailFile {
 public:
  MailFile() = default;
  MailFile(const MailFile&) = delete;
  MailFile& operator=(const MailFile&) = delete;
  ~MailFile() { discard(); }

  // root stays open as long as this file; unique_name is used only when there must be a name
  [[nodiscard]] int create(const base::Descriptor& root, const std::string& unique_name);
  // One after the other, and in one call of the system where it can be; changes `pieces`.
  [[nodiscard]] int write(std::span<std::string_view> pieces);
  [[nodiscard]] int link_into(const base::Descriptor& folder, const std::string& name) const;
  // A copy of its own, whatever could be linked, with `text` after its first `at` octets.
  [[nodiscard]] int copy_into(const base::Descriptor& folder, const std::string& name, std::size_t at,
                              std::string_view text) const;
  void start_sync() const;  // only a hint: the octets are on their way to the disk while others are still written
  void discard();           // our own descriptor; links stay

  [[nodiscard]] bool is_open() const { return file_.is_open(); }
  [[nodiscard]] int number() const { return file_.number(); }  // for fsync(2)

 private:
  [[nodiscard]] int hard_link(const base::Descriptor& folder, const std::string& name) const;
  [[nodiscard]] int copy_octets(const base::Descriptor& copy, std::size_t at, std::string_view text) const;
  [[nodiscard]] int create_unnamed();
  [[nodiscard]] int create_named(const std::string& unique_name);

  int root_ = -1;
  bool needs_name_ = false;  // found out with the first file
  base::Descriptor file_;
  std::string name_;  // below the root; empty: unnamed
};

}  // namespace postern::deliver
