#include "deliver/lmtp/taken.hpp"

#include <sys/random.h>

#include <algorithm>

namespace postern::deliver {

LmtpTaken::LmtpTaken(std::size_t max_entries, unsigned max_seconds)
    : max_entries_(max_entries), max_seconds_(max_seconds) {
  if (::getrandom(key_.data(), sizeof key_, 0) != static_cast<ssize_t>(sizeof key_)) max_entries_ = 0;
}

// A NUL ends each path and is in neither, so that no other message and paths give the same octets.
LmtpTaken::Mark LmtpTaken::mark_of(base::SipHash message, std::string_view reverse_path,
                                   std::string_view forward_path) {
  constexpr std::string_view end("\0", 1);
  for (const std::string_view octets : {end, reverse_path, end, forward_path, end}) message.add(octets);
  return message.digest();
}

bool LmtpTaken::has(const Mark& mark) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(entries_, mark, &Entry::mark);
  return found != entries_.end() && base::milliseconds_until(found->until) > 0;
}

void LmtpTaken::remember(std::span<const Mark> marks) {
  forget(marks);  // the new time counts
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const Entry& entry) { return base::milliseconds_until(entry.until) == 0; });
  for (const Mark& mark : marks) {
    if (max_entries_ == 0) return;
    if (entries_.size() == max_entries_) entries_.erase(entries_.begin());
    entries_.push_back({mark, base::after_seconds(max_seconds_)});
  }
}

void LmtpTaken::forget(std::span<const Mark> marks) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [marks](const Entry& entry) { return std::ranges::find(marks, entry.mark) != marks.end(); });
}

}  // namespace postern::deliver
