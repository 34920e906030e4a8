// What loops serve from, of all files: read and judged beside them, shared by all, never changed, and replaced as a whole.
// in      policies whose ways out are open; the snapshot before, or null; the cdbs of valid recipients that live sessions ask
//         for, which policies may have named that are replaced by now
// out     Snapshot: no call of a loop that reads it waits for a file or for a lock
// lives   until the last loop has the next one; SnapshotShelf sees to it that none ends on a loop
// errors  tcprules that are not readable any more: those of the snapshot before stay, and the log says so. Of lists see
//         ask/recipient_lists.hpp. That no domain is ours any more is a warning, once
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ask/recipient_lists.hpp"
#include "base/clock.hpp"
#include "config/client_rules.hpp"
#include "observe/journal.hpp"
#include "server/policies.hpp"
#include "spec/limits.hpp"

namespace postern::server {

class Shadow;

struct Snapshot {
  std::shared_ptr<const Policies> policies;
  std::shared_ptr<const ask::RecipientLists> lists;
  std::vector<std::shared_ptr<const config::ClientRules>> rules;  // by listener; null where there are none
  std::vector<ClassTable> classes;                                // by listener: those judged by then
  std::shared_ptr<const Shadow> shadow;                           // null: sessions are judged once
};

[[nodiscard]] std::shared_ptr<const Snapshot> make_snapshot(std::shared_ptr<const Policies> policies,
                                                            const Snapshot* before, const observe::Journal& journal,
                                                            const ask::RecipientLists::Paths& of_sessions = {},
                                                            std::shared_ptr<const Shadow> shadow = nullptr);

// Of lists: those that could not be read.
enum class Failures : std::uint8_t { stay, read_again };
// With the cdbs of valid recipients that a class names that was judged meanwhile, and without those that nothing names any
// more; what could be read is not read again. Null when nothing is better then.
[[nodiscard]] std::shared_ptr<const Snapshot> with_lists_read_again(const Snapshot& before,
                                                                    const observe::Journal& journal,
                                                                    const ask::RecipientLists::Paths& of_sessions = {},
                                                                    Failures failures = Failures::read_again);

// When lists that could not be read are tried again: soon, then half as often each time, since most will not change by itself,
// and what a file shows is a reload.
class ListRetry {
 public:
  void begin(base::Time now) { due_ = now + (interval_ = first); }  // lists were read
  // Counts as a try.
  [[nodiscard]] bool is_due(base::Time now) {
    if (now < due_) return false;
    due_ = now + (interval_ = std::min(2 * interval_, last));
    return true;
  }

 private:
  static constexpr base::Interval first = std::chrono::milliseconds(400);  // within a tick of upkeep.hpp
  static constexpr base::Interval last = std::chrono::seconds(spec::max_list_retry_seconds);

  base::Interval interval_ = first;
  base::Time due_{};
};

// Snapshots that were replaced, until nothing uses them: what they hold may be large, and a way out waits for its threads.
class SnapshotShelf {
 public:
  // Before the change, which then cannot fail.
  void make_room() { snapshots_.reserve(snapshots_.size() + 1); }
  void add(std::shared_ptr<const Snapshot> replaced) { snapshots_.push_back(std::move(replaced)); }
  void forget_unused();
  // What live sessions may ask for of what was replaced.
  [[nodiscard]] ask::RecipientLists::Paths valid_recipients() const;

 private:
  std::vector<std::shared_ptr<const Snapshot>> snapshots_;
  std::vector<std::shared_ptr<const ServiceProfile>>
      profiles_;  // of snapshots that are gone: sessions may have it still
};

}  // namespace postern::server
