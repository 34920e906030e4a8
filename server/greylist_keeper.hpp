// The greylist of a server and its file: read at the start, written at each reload, once an hour and at the end.
// in      the path, empty for none; a random key, for a greylist that begins empty
// out     the greylist of all loops
// threads open() before all others, save() on any, greylist() as limits/greylist.hpp says
// lives   longer than all loops
// alone   a server holds PATH.lock, an empty file, as long as it runs: two that write one file would forget what the other knows
// errors  sentences: a file that cannot be read, or is damaged, is an empty greylist; one that cannot be written is tried again
// source  docs/decisions/0020-greylist.md; flock(2)
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/child.hpp"
#include "limits/greylist.hpp"

namespace postern::server {

class GreylistKeeper {
 public:
  explicit GreylistKeeper(std::string path) : path_(std::move(path)) {}

  // Before open(). Empty: no other server has the file, or nobody can tell.
  [[nodiscard]] std::string lock();
  // Empty: there is nothing to say.
  [[nodiscard]] std::string open(const base::SipHash::Key& secret, base::Time now);
  [[nodiscard]] limits::Greylist& greylist() { return *greylist_; }

  [[nodiscard]] bool is_due(base::Time now) const;
  // Empty: it is written, or nobody was asked about, or another thread has been at it for a second.
  [[nodiscard]] std::string save(base::Time now);

 private:
  std::string path_;
  base::Descriptor lock_;
  std::unique_ptr<limits::Greylist> greylist_;
  mutable std::timed_mutex saving_;
  base::Time saved_{};     // under saving_
  bool has_file_ = false;  // under saving_
  bool is_unread_ =
      false;  // under saving_: what stands there is no greylist, and is kept beside the one that is written
};

}  // namespace postern::server
