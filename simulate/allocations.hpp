// Counts what this program allocates and frees; one thread.
#pragma once

#include <cstdint>

namespace postern::simulate {

struct Allocations {
  std::uint64_t made = 0;  // so far
  std::int64_t alive = 0;
};
[[nodiscard]] Allocations& allocations();

// What is allocated in its life is not counted as made: it is the simulation's own.
class OwnAllocations {
 public:
  OwnAllocations() : before_(allocations().made) {}
  OwnAllocations(const OwnAllocations&) = delete;
  OwnAllocations& operator=(const OwnAllocations&) = delete;
  ~OwnAllocations() { allocations().made = before_; }

 private:
  std::uint64_t before_;
};

}  // namespace postern::simulate
