#include "server/greylist_keeper.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <new>
#include <utility>

#include "limits/greylist_file.hpp"

namespace postern::server {

// A folder in which it cannot be made is told of where the file is written.
std::string GreylistKeeper::lock() {
  if (path_.empty()) return {};
  const std::string path = path_ + ".lock";
  lock_ = base::Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool is_another_s = lock_.is_open() && ::flock(lock_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!is_another_s) return {};
  return "greylist_file " + path_ + ": another server that runs has it (" + path +
         "), and each would write over what the other knows: give each server a file of its own";
}

std::string GreylistKeeper::open(const base::SipHash::Key& secret, base::Time now) try {
  saved_ = now;
  auto saved = path_.empty() ? std::nullopt : limits::read_greylist(path_);
  has_file_ = saved && *saved;
  is_unread_ = !saved;
  if (saved && *saved) {
    const auto elapsed = limits::seconds_since((*saved)->saved_seconds, std::time(nullptr));
    greylist_ = std::make_unique<limits::Greylist>((*saved)->contents, elapsed, now);
  } else {
    greylist_ = std::make_unique<limits::Greylist>(secret);
  }
  return saved ? std::string() : saved.error() + ": the greylist begins empty";
} catch (const std::bad_alloc&) {
  greylist_ = std::make_unique<limits::Greylist>(secret);
  return "no memory to read greylist_file: the greylist begins empty";
}

bool GreylistKeeper::is_due(base::Time now) const {
  const std::unique_lock lock(saving_, std::try_to_lock);
  return lock && !path_.empty() && now - saved_ >= std::chrono::seconds(spec::greylist_save_seconds);
}

// A disk that does not answer must not keep the server from its end.
std::string GreylistKeeper::save(base::Time now) try {
  const std::unique_lock lock(saving_, std::chrono::seconds(1));
  if (!lock || path_.empty()) return {};
  saved_ = now;
  limits::SavedGreylist saved{.contents = greylist_->contents(now), .saved_seconds = std::time(nullptr)};
  if (saved.contents.is_empty() && !has_file_) return {};
  if (std::exchange(is_unread_, false)) static_cast<void>(::rename(path_.c_str(), (path_ + ".damaged").c_str()));
  const auto written = limits::write_greylist(path_, saved);
  has_file_ = has_file_ || written;
  return written ? std::string() : written.error();
} catch (const std::bad_alloc&) {
  return "no memory to write greylist_file";
}

}  // namespace postern::server
