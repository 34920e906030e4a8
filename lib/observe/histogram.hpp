// The buckets of each histogram of the page /metrics.
// in      a time; one below zero counts as zero
// out     the place of its bucket; the last one has no bound
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace postern::observe {

struct BucketBound {
  std::chrono::nanoseconds at_most;
  std::string_view seconds;  // the same, as OpenMetrics wants it: always with a point
};
extern const std::array<BucketBound, 18> bucket_bounds;

inline constexpr std::size_t bucket_count = std::tuple_size_v<decltype(bucket_bounds)> + 1;  // one without bound

[[nodiscard]] inline std::size_t bucket_of(std::chrono::nanoseconds time) {
  const auto* bound =
      std::ranges::find_if(bucket_bounds, [time](const BucketBound& each) { return time <= each.at_most; });
  return static_cast<std::size_t>(bound - bucket_bounds.begin());
}

}  // namespace postern::observe
