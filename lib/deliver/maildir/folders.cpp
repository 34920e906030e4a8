#include "deliver/maildir/folders.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace postern::deliver {
namespace {

constexpr mode_t only_owner = 0700;
constexpr mode_t mark = S_ISVTX;  // umask(2) leaves it alone, and on a folder of one owner it means nothing else

int make_folder(const base::Descriptor& root, const std::string& path, mode_t mode) {
  return ::mkdirat(root.number(), path.c_str(), mode) == 0 || errno == EEXIST ? 0 : errno;
}

// All that may hold a new name when the mailbox is new: ".", "domain", "domain/local-part".
std::vector<std::string> folders_to(const std::string& mailbox) {
  std::vector<std::string> folders{"."};
  for (std::size_t end = 0; end != std::string::npos;) {
    end = mailbox.find('/', end + 1);
    folders.push_back(mailbox.substr(0, end));
  }
  return folders;
}

// Those that exist already may not be synced yet, too. new/ comes last: where it exists the mailbox is complete.
int make_mailbox(const base::Descriptor& root, const std::string& mailbox, std::span<const std::string> folders) {
  for (const std::string& folder : folders.subspan(1))
    if (const int error = make_folder(root, folder, only_owner); error != 0) return error;
  for (const char* name : {"/tmp", "/cur"})
    if (const int error = make_folder(root, mailbox + name, only_owner); error != 0) return error;
  return make_folder(root, mailbox + "/new", only_owner | mark);
}

// One that cannot be looked at may be marked.
bool may_be_marked(const base::Descriptor& folder) {
  struct stat found{};
  return ::fstat(folder.number(), &found) != 0 || (found.st_mode & mark) != 0;
}

}  // namespace

int MaildirFolders::link(const MailFile& file, const std::string& mailbox, const std::string& name, const Own& own) {
  const auto put_into = [&](const base::Descriptor& folder) {
    return own.text.empty() ? file.link_into(folder, name) : file.copy_into(folder, name, own.at, own.text);
  };
  const auto known = folders_.find(mailbox + "/new");
  if (known != folders_.end() && known->second.descriptor.is_open()) return put_into(known->second.descriptor);
  base::Descriptor opened;
  if (const int error = open_mailbox(mailbox, opened); error != 0) return error;
  const int error = put_into(opened);
  if (open_folders_ == max_open_folders) return error;
  ++open_folders_;
  folders_[mailbox + "/new"].descriptor = std::move(opened);
  return error;
}

void MaildirFolders::take_back(const std::string& mailbox, const std::string& name) const {
  ::unlinkat(root_->number(), (mailbox + "/new/" + name).c_str(), 0);
}

base::Descriptor MaildirFolders::open(const std::string& path) const {
  return base::Descriptor(::openat(root_->number(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// The look comes after the opening: a mark that is gone by then says that all is on the disk.
int MaildirFolders::open_mailbox(const std::string& mailbox, base::Descriptor& opened) {
  const std::string path = mailbox + "/new";
  std::vector<std::string> needed;
  opened = open(path);
  if (opened.is_open() ? may_be_marked(opened) : errno == ENOENT) needed = folders_to(mailbox);
  if (!opened.is_open() && !needed.empty()) {
    if (const int error = make_mailbox(*root_, mailbox, needed); error != 0) return error;
    opened = open(path);
  }
  if (!opened.is_open()) return errno;
  needed.push_back(path);
  for (const std::string& folder : needed) folders_.try_emplace(folder);
  std::vector<std::string>& known = mailboxes_[mailbox];  // opened more than once: the longer list has the shorter one
  if (known.size() < needed.size()) known = std::move(needed);
  return 0;
}

// Those still open go first, which makes room for the others.
void MaildirFolders::sync(SyncMany& sync) {
  std::vector<Entry*> entries;
  for (const bool is_open : {true, false})
    for (Entry& entry : folders_)
      if (entry.second.descriptor.is_open() == is_open) entries.push_back(&entry);
  for (std::size_t at = 0; at < entries.size(); at += max_open_folders)
    sync_some(std::span(entries).subspan(at, std::min(max_open_folders, entries.size() - at)), sync);
  for (const auto& [mailbox, needed] : mailboxes_)
    if (needed.size() > 1 && trouble(mailbox).error == 0) remove_mark(needed.back());
}

// Where this fails the next delivery syncs what is on the disk already.
void MaildirFolders::remove_mark(const std::string& path) const {
  constexpr mode_t all_bits = 07777;
  const base::Descriptor folder = open(path);
  struct stat found{};
  if (!folder.is_open() || ::fstat(folder.number(), &found) != 0 || (found.st_mode & mark) == 0) return;
  ::fchmod(folder.number(), found.st_mode & all_bits & ~mark);
}

void MaildirFolders::sync_some(std::span<Entry*> entries, SyncMany& sync) const {
  std::vector<int> descriptors;
  std::vector<Folder*> folders;
  for (Entry* entry : entries) {
    Folder& folder = entry->second;
    if (!folder.descriptor.is_open()) folder.descriptor = open(entry->first);
    if (!folder.descriptor.is_open()) folder.error = errno;
    if (folder.error != 0) continue;
    descriptors.push_back(folder.descriptor.number());
    folders.push_back(&folder);
  }
  const std::vector<int> errors = sync.sync(descriptors);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    folders[i]->error = errors[i];
    folders[i]->descriptor.close();
  }
}

MaildirFolders::Trouble MaildirFolders::trouble(const std::string& mailbox) const {
  const auto needed = mailboxes_.find(mailbox);
  if (needed == mailboxes_.end()) return {};
  for (const std::string& path : needed->second) {
    const int error = folders_.at(path).error;
    if (error != 0) return {.error = error, .where = path == needed->second.back() ? mailbox : path};
  }
  return {};
}

}  // namespace postern::deliver
