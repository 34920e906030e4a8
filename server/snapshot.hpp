// What loops serve by, of files: read and judged beside them, shared by all, never changed, and replaced as a whole.
// in      policies whose ways out are open; the snapshot before, or null
// out     Snapshot: no call of a loop that reads it waits for a file or for a lock
// lives   until the last loop has the next one; SnapshotShelf sees to it that none ends on a loop
// errors  tcprules that are not readable any more: those of the snapshot before stay, and the log says so. Of lists see
//         ask/recipient_lists.hpp
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ask/recipient_lists.hpp"
#include "config/client_rules.hpp"
#include "observe/journal.hpp"
#include "server/policies.hpp"

namespace postern::server {

struct Snapshot {
  std::shared_ptr<const Policies> policies;
  std::shared_ptr<const ask::RecipientLists> lists;
  std::vector<std::shared_ptr<const config::ClientRules>> rules;  // by listener; null where there are none
  std::vector<ClassTable> classes;                                // by listener: those judged by then
  std::vector<char> begins_in_tls;                                // by listener
};

[[nodiscard]] std::shared_ptr<const Snapshot> make_snapshot(std::shared_ptr<const Policies> policies,
                                                            const Snapshot* before, const observe::Journal& journal);
// The lists are read again, when any of them could not be: null when that makes it no better.
[[nodiscard]] std::shared_ptr<const Snapshot> with_lists_read_again(const Snapshot& before);

// Snapshots that were replaced, until nobody has them: what they hold may be large, and a way out waits for its threads.
class SnapshotShelf {
 public:
  // Before the change, which then cannot fail.
  void make_room() { snapshots_.reserve(snapshots_.size() + 1); }
  void add(std::shared_ptr<const Snapshot> replaced) { snapshots_.push_back(std::move(replaced)); }
  void forget_unused();

 private:
  std::vector<std::shared_ptr<const Snapshot>> snapshots_;
  std::vector<std::shared_ptr<const ServiceProfile>> served_;  // of snapshots that are gone: sessions may have it still
};

}  // namespace postern::server
