// SipHash-2-4 with 128 bits of output: a hash that nobody can steer without its key.
// in      a key of 16 random octets, then octets in pieces of any size
// out     digest(): of all octets so far; more may follow
// errors  none; allocates nothing
// source  Aumasson, Bernstein: SipHash, a fast short-input PRF (2012), and its reference for 128 bits
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::base {

class SipHash {
 public:
  using Key = std::array<std::uint64_t, 2>;  // the octets of the key, least significant first
  using Digest = std::array<std::uint64_t, 2>;

  explicit SipHash(const Key& key);
  void add(std::string_view octets);
  [[nodiscard]] Digest digest() const;

 private:
  void round();
  void compress(std::uint64_t word);

  std::array<std::uint64_t, 4> v_;
  std::uint64_t word_ = 0;  // octets that are not yet eight
  std::uint64_t size_ = 0;
};

}  // namespace postern::base
