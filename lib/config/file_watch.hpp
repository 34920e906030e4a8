// Whether any of some files has changed: looked at by name, so that a file that is renamed into place counts too.
// in      paths; files that are not there may come. Both ends of a symbolic link count
// out     settled(): once for each change, and only when a second look finds them as the first did: who writes is done
// order   look(), read the files, watch(): what changes while they are read counts as a change
// cost    two calls of stat(2) a file and look
// errors  none: a file that cannot be looked at is one that is not there
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postern::config {

class FileWatch {
 public:
  void look();  // what there is now is known
  // Files that were watched already stay known as look() found them.
  // names   only where they lead is looked at, not what stands there
  void watch(std::vector<std::string> paths, std::vector<std::string> names = {});
  [[nodiscard]] bool settled();

 private:
  [[nodiscard]] std::uint64_t state() const;

  std::vector<std::string> paths_, names_;
  std::uint64_t known_ = 0, last_ = 0;
};

}  // namespace postern::config
