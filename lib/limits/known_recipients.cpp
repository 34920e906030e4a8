#include "limits/known_recipients.hpp"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <new>

namespace postern::limits {

using spec::Event;

KnownRecipients::KnownRecipients(std::size_t max_entries) {
  if (::getrandom(key_.data(), sizeof key_, 0) == static_cast<ssize_t>(sizeof key_))
    max_places_ = std::max<std::size_t>(max_entries / Place{}.size(), 1);
}

KnownRecipients::Mark KnownRecipients::mark_of(std::string_view name) const {
  base::SipHash hash(key_);
  hash.add(name);
  return hash.digest();
}

std::optional<Event> KnownRecipients::find(const Mark& mark, base::Time now) const {
  const std::lock_guard lock(mutex_);
  if (places_.empty()) return std::nullopt;
  const Place& place = places_[place_of(mark)];
  const auto* const found = std::ranges::find(place, mark, &Entry::mark);
  if (found == place.end() || now >= found->until) return std::nullopt;
  return found->said;
}

void KnownRecipients::keep(const Mark& mark, Event said, base::Time now) {
  if (said != Event::recipient_ours && said != Event::recipient_unknown) return;
  const std::lock_guard lock(mutex_);
  if (!has_places()) return;
  Place& place = places_[place_of(mark)];
  Entry* entry = std::ranges::find(place, mark, &Entry::mark);
  if (entry == place.end()) entry = std::ranges::min_element(place, {}, &Entry::until);
  const unsigned seconds =
      said == Event::recipient_ours ? spec::known_recipient_seconds : spec::unknown_recipient_seconds;
  *entry = {.mark = mark, .until = now + std::chrono::seconds(seconds), .said = said};
}

bool KnownRecipients::has_places() try {
  if (places_.empty()) places_.resize(max_places_);
  return !places_.empty();
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace postern::limits
