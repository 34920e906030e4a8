#include "config/maildir_limits.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/child.hpp"

namespace postern::config {
namespace {

// proc(5): octets that would end the field are written as three octal digits.
std::string unescaped(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool is_escape = field[i] == '\\' && i + 3 < field.size();
    if (!is_escape) {
      text += field[i];
      continue;
    }
    text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
    i += 3;
  }
  return text;
}

std::string_view field_of(std::string_view line, int index) {
  for (; index > 0; --index) line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
  return line.substr(0, line.find(' '));
}

// Whether a name for an open file can be made there; the name is removed again.
bool can_link(const base::Descriptor& folder, const base::Descriptor& file) {
  const std::string name = ".postern-" + std::to_string(::getpid());
  const std::string path = "/proc/self/fd/" + std::to_string(file.number());
  if (::linkat(AT_FDCWD, path.c_str(), folder.number(), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS;
  ::unlinkat(folder.number(), name.c_str(), 0);
  return true;
}

std::string text_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<std::string> mounts_below(std::string_view folder, std::string_view mountinfo) {
  const std::string begin = std::string(folder) + (folder.ends_with('/') ? "" : "/");
  std::vector<std::string> mounts;
  while (!mountinfo.empty()) {
    const std::size_t end = std::min(mountinfo.find('\n'), mountinfo.size() - 1);
    std::string place = unescaped(field_of(mountinfo.substr(0, end), 4));
    if (place.starts_with(begin) && std::ranges::find(mounts, place) == mounts.end())
      mounts.push_back(std::move(place));
    mountinfo.remove_prefix(end + 1);
  }
  return mounts;
}

bool is_usable_maildir_root(const std::string& root) {
  const base::Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.is_open() && ::faccessat(folder.number(), ".", W_OK | X_OK, AT_EACCESS) == 0;
}

std::vector<std::string> maildir_limits(const std::string& root) {
  std::vector<std::string> sentences;
  const base::Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const base::Descriptor file(::openat(folder.number(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  const bool is_named = folder.is_open() && !file.is_open() && (errno == EOPNOTSUPP || errno == EISDIR);
  if (is_named)
    sentences.push_back("POSTERN_MAILDIR=\"" + root +
                        "\": its file system has no unnamed files, so a crash may leave files in its .tmp: they can be "
                        "deleted; ext4, XFS and Btrfs leave none");
  if (file.is_open() && !can_link(folder, file))
    sentences.push_back(
        "POSTERN_MAILDIR=\"" + root +
        "\": its file system has no hard links, so a message is copied for each recipient: ext4, XFS and "
        "Btrfs keep one for all");
  std::error_code error;
  const auto place = std::filesystem::canonical(root, error);
  if (error) return sentences;
  for (const std::string& mount : mounts_below(place.string(), text_of("/proc/self/mountinfo")))
    sentences.push_back(mount +
                        " is a mount below POSTERN_MAILDIR: messages are copied to it, each with a wait for its disk "
                        "of its own; a POSTERN_MAILDIR on that file system needs no copy");
  return sentences;
}

}  // namespace postern::config
