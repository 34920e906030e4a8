// wanted: deleted
// The octets of an address lie in it: of a temporary one they would dangle.
#include "base/network.hpp"

std::size_t count(std::span<const std::uint8_t> octets) { return octets.size(); }

std::size_t of_an_address() {
  const postern::base::Address address;
#ifdef MISUSE
  const auto octets = postern::base::client_of(address).octets();
#else
  const auto octets = address.octets();
#endif
  return count(octets);
}
