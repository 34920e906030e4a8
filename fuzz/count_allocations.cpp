#include "fuzz/count_allocations.hpp"

// Only there when a sanitizer brings its own allocator.
extern "C" [[gnu::weak]] int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                                         std::size_t),
                                                                       void (*on_free)(const volatile void*));

namespace postern::fuzz {
namespace {

std::size_t allocations = 0;

void count(const volatile void*, std::size_t) { ++allocations; }
void ignore(const volatile void*) {}

const bool is_counting = __sanitizer_install_malloc_and_free_hooks != nullptr &&
                         __sanitizer_install_malloc_and_free_hooks(count, ignore) != 0;

}  // namespace

std::size_t allocations_so_far() { return is_counting ? allocations : 0; }

}  // namespace postern::fuzz
