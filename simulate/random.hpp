// All chance of a simulation: one 64-bit seed, and the same numbers on every machine.
// source  Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (splitmix64)
#pragma once

#include <cstdint>

namespace postern::simulate {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
    return z ^ z >> 31U;
  }
  // 0 ... bound - 1
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((next() >> 32U) * bound >> 32U);
  }
  [[nodiscard]] std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + below(most - least + 1);
  }
  [[nodiscard]] bool one_in(std::uint32_t times) { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace postern::simulate
