// The clock of all deadlines: it never goes back, and nothing stops it.
#pragma once

#include <chrono>

namespace postern::base {

using Time = std::chrono::steady_clock::time_point;
using Interval = std::chrono::steady_clock::duration;

}  // namespace postern::base
