#include "engine/patience.hpp"

namespace postern::engine {

using spec::Event;

void PatienceClock::note(const Reading& reading, Time now) {
  const bool was_in_line = half_line_ != HalfLine::none;
  const bool is_same_line = was_in_line && !reading.has_decided;
  const bool has_grown = reading.octets > unread_;
  const bool is_progress = reading.has_decided || (reading.is_mail_data && reading.octets > reading.unread);
  if (is_progress || (reading.ends_in_line && !was_in_line)) began_ = now;
  if (!reading.ends_in_line)
    half_line_ = HalfLine::none;
  else if (!is_same_line)
    half_line_ = HalfLine::begun;
  else if (has_grown)
    half_line_ = HalfLine::drips;
  unread_ = reading.unread;
}

std::optional<Event> PatienceClock::end(bool is_mail_data, Time now) {
  if (now >= silence_end()) return half_line_ == HalfLine::drips && !is_mail_data ? Event::too_slow : Event::timeout;
  if (!is_mail_data || now < window_end()) return std::nullopt;
  if (window_octets_ < std::uint64_t{patience_.min_octets_per_second} * patience_.window_seconds)
    return Event::too_slow;
  begin_message(now);
  return std::nullopt;
}

}  // namespace postern::engine
