// Whether any of some files has changed: looked at by name, so that a file that is renamed into place counts too.
// in      paths; files that do not exist yet may appear. Both ends of a symbolic link count
// out     settled(): once for each change, and only when a second look finds them as the first did: the writer is done
// order   watch() a file, then read it: what changes while it is read counts as a change
// cost    two calls of stat(2) a file and look
// threads any: a look of one may wait for that of another
// errors  none: a file that cannot be examined counts as missing
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace postern::config {

class FileWatch {
 public:
  using State = std::uint64_t;  // of one file; a change of it is most likely another one
  [[nodiscard]] static State state_of(const std::string& path);

  // False: it was watched before, and stays known as it was.
  // known   its state before it was read; none: it is read after this call
  bool watch(const std::string& path, std::optional<State> known = std::nullopt);
  // The same of a name: only where it leads is looked at, not what stands there.
  bool watch_name(const std::string& name);
  void look();  // the present state of all is known
  [[nodiscard]] bool settled();

 private:
  struct Seen {
    State known, last;
  };
  using All = std::map<std::string, Seen, std::less<>>;
  [[nodiscard]] static State target_of(const std::string& name);

  std::mutex mutex_;
  All paths_, names_;  // under mutex_
};

}  // namespace postern::config
