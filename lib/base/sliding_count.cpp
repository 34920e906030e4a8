#include "base/sliding_count.hpp"

#include <algorithm>
#include <limits>

namespace postern::base {

std::uint32_t SlidingCount::part_of(Time now, std::chrono::milliseconds window) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / (window / parts));
}

unsigned SlidingCount::outdated(std::uint32_t part) const {
  return part <= newest_part_ ? 0 : std::min(part - newest_part_, slots);
}

void SlidingCount::add(Time now, std::chrono::milliseconds window) {
  const std::uint32_t part = part_of(now, window);
  for (unsigned i = outdated(part); i > 0; --i) counts_[(newest_part_ + i) % slots] = 0;
  newest_part_ = std::max(newest_part_, part);
  std::uint16_t& count = counts_[newest_part_ % slots];
  if (count < std::numeric_limits<std::uint16_t>::max()) ++count;
}

unsigned SlidingCount::count(Time now, std::chrono::milliseconds window) const {
  unsigned sum = 0;
  for (unsigned i = outdated(part_of(now, window)) + 1; i <= slots; ++i) sum += counts_[(newest_part_ + i) % slots];
  return std::min<unsigned>(sum, std::numeric_limits<std::uint16_t>::max());
}

bool SlidingCount::is_blank() const {
  return std::ranges::all_of(counts_, [](std::uint16_t count) { return count == 0; });
}

}  // namespace postern::base
