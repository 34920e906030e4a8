// The clock that deadlines are told by: it never goes back, and it stands still for nobody.
#pragma once

#include <chrono>

namespace postern::base {

using Time = std::chrono::steady_clock::time_point;
using Interval = std::chrono::steady_clock::duration;

}  // namespace postern::base
