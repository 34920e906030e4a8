// How often this process has asked for memory, where that is counted.
// out     allocations_so_far(): grows by one for each malloc or new under ASan; always 0 in other builds
// source  <sanitizer/allocator_interface.h>
#pragma once

#include <cstddef>

namespace postern::fuzz {

[[nodiscard]] std::size_t allocations_so_far();

}  // namespace postern::fuzz
