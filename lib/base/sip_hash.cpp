#include "base/sip_hash.hpp"

#include <bit>

namespace postern::base {
namespace {

std::uint64_t first_eight(std::string_view octets) {
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i) word |= std::uint64_t{static_cast<unsigned char>(octets[i])} << (8 * i);
  return word;
}

}  // namespace

SipHash::SipHash(const Key& key)
    : v_{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee, key[0] ^ 0x6c7967656e657261,
         key[1] ^ 0x7465646279746573} {}

void SipHash::round() {
  v_[0] += v_[1];
  v_[2] += v_[3];
  v_[1] = std::rotl(v_[1], 13) ^ v_[0];
  v_[3] = std::rotl(v_[3], 16) ^ v_[2];
  v_[0] = std::rotl(v_[0], 32);
  v_[2] += v_[1];
  v_[0] += v_[3];
  v_[1] = std::rotl(v_[1], 17) ^ v_[2];
  v_[3] = std::rotl(v_[3], 21) ^ v_[0];
  v_[2] = std::rotl(v_[2], 32);
}

void SipHash::compress(std::uint64_t word) {
  v_[3] ^= word;
  round();
  round();
  v_[0] ^= word;
}

void SipHash::add(std::string_view octets) {
  while (!octets.empty()) {
    const unsigned held = size_ % 8;
    if (held == 0 && octets.size() >= 8) {
      compress(first_eight(octets));
      octets.remove_prefix(8);
      size_ += 8;
      continue;
    }
    word_ |= std::uint64_t{static_cast<unsigned char>(octets.front())} << (8 * held);
    octets.remove_prefix(1);
    ++size_;
    if (held != 7) continue;
    compress(word_);
    word_ = 0;
  }
}

SipHash::Digest SipHash::digest() const {
  SipHash last = *this;
  const auto half = [&last] {
    for (int i = 0; i < 4; ++i) last.round();
    return last.v_[0] ^ last.v_[1] ^ last.v_[2] ^ last.v_[3];
  };
  last.compress(word_ | (size_ << 56));
  last.v_[2] ^= 0xee;
  const std::uint64_t first = half();
  last.v_[1] ^= 0xdd;
  return {first, half()};
}

}  // namespace postern::base
