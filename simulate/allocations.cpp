#include "simulate/allocations.hpp"

#include <cstdlib>
#include <new>

namespace postern::simulate {

Allocations& allocations() {
  static Allocations all;
  return all;
}

}  // namespace postern::simulate

void* operator new(std::size_t octets) {
  void* const found = std::malloc(octets);
  if (found == nullptr) throw std::bad_alloc();
  ++postern::simulate::allocations().made;
  ++postern::simulate::allocations().alive;
  return found;
}
void operator delete(void* octets) noexcept {
  if (octets != nullptr) --postern::simulate::allocations().alive;
  std::free(octets);
}
void operator delete(void* octets, std::size_t) noexcept { operator delete(octets); }
