// Moments and spans of time, for a room without a clock: the caller says what time it is.
// units   nanoseconds; a Time counts from a moment that the caller chooses and keeps to
// errors  none; nothing here looks at `never` but to compare with it
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace postern::engine {

struct Interval {
  std::int64_t nanoseconds = 0;

  friend constexpr auto operator<=>(const Interval&, const Interval&) = default;
};

struct Time {
  std::int64_t nanoseconds = 0;

  friend constexpr auto operator<=>(const Time&, const Time&) = default;
};

inline constexpr Time never{std::numeric_limits<std::int64_t>::max()};

constexpr Interval seconds(std::int64_t count) { return {count * 1'000'000'000}; }
constexpr Time operator+(Time at, Interval span) { return {at.nanoseconds + span.nanoseconds}; }
constexpr Interval operator-(Time later, Time earlier) { return {later.nanoseconds - earlier.nanoseconds}; }

}  // namespace postern::engine
