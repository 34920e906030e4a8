// The folders that one group of messages is delivered into: opened once, made when missing, synced together.
// in      a mailbox below the root (config/maildir_name.hpp); link as often as messages come, then sync once
// out     names in new/. All folders are made with mode 0700
// durable after sync, where trouble() is none: each new/ that was linked into, and all folders above one that was made here or
//         has the mark
// mark    new/ is made with the sticky bit: it, or a folder above it, may not be on the disk yet. A delivery that finds the bit,
//         of any process, syncs what the maker has to sync, and removes the bit when all of that went well. A bit that cannot
//         be removed costs syncs, and no mail. On a file system without the bit only the maker syncs the folders above
// bounds  max_open_folders descriptors, however many mailboxes there are
// errors  errno as a value; a folder that cannot be synced is the trouble of every mailbox that needs it
// source  maildir(5); https://cr.yp.to/proto/maildir.html
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/child.hpp"
#include "deliver/mail_file.hpp"
#include "deliver/sync_many.hpp"

namespace postern::deliver {

class MaildirFolders {
 public:
  static constexpr std::size_t max_open_folders = 28;

  // root: stays open as long as this object
  explicit MaildirFolders(const base::Descriptor& root) : root_(&root) {}

  // own   what stands in this mailbox's copy alone, after the first octets; empty: the file is shared
  struct Own {
    std::size_t at = 0;
    std::string text;
  };
  [[nodiscard]] int link(const MailFile& file, const std::string& mailbox, const std::string& name, const Own& own);
  void take_back(const std::string& mailbox, const std::string& name) const;

  void sync(SyncMany& sync);

  struct Trouble {
    int error = 0;      // 0: none
    std::string where;  // a mailbox, or a folder above it
  };
  [[nodiscard]] Trouble trouble(const std::string& mailbox) const;

 private:
  struct Folder {
    base::Descriptor descriptor;  // may be closed to save descriptors
    int error = 0;                // of its sync
  };
  using Entry = std::pair<const std::string, Folder>;

  [[nodiscard]] base::Descriptor open(const std::string& path) const;
  [[nodiscard]] int open_mailbox(const std::string& mailbox, base::Descriptor& opened);
  void sync_some(std::span<Entry*> entries, SyncMany& sync) const;
  void remove_mark(const std::string& path) const;

  const base::Descriptor* root_;
  std::map<std::string, Folder> folders_;                      // by path below the root: what must be synced
  std::map<std::string, std::vector<std::string>> mailboxes_;  // the folders that it needs: new/ is the last
  std::size_t open_folders_ = 0;
};

}  // namespace postern::deliver
