#ifdef __x86_64__
#include <immintrin.h>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i load(const char* octets) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(octets));
}

[[gnu::target("avx2"), gnu::always_inline]] inline void store(char* octets, __m256i stored) {
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(octets), stored);
}

[[gnu::target("avx2"), gnu::always_inline]] inline std::uint64_t mask_of(__m256i low, __m256i high) {
  const auto low_bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(low));
  const auto high_bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(high));
  return low_bits | static_cast<std::uint64_t>(high_bits) << 32;
}

[[gnu::target("avx2"), gnu::always_inline]] inline void copy_block(char* out, const char* in) {
  const __m256i low = load(in);
  const __m256i high = load(in + 32);
  store(out, low);
  store(out + 32, high);
}

[[gnu::target("avx2"), gnu::always_inline]] inline BlockMasks masks_of(const char* block) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  const __m256i low_crs = _mm256_cmpeq_epi8(load(block), cr);
  const __m256i high_crs = _mm256_cmpeq_epi8(load(block + 32), cr);
  const __m256i low_bare = _mm256_xor_si256(low_crs, _mm256_cmpeq_epi8(load(block + 1), lf));
  const __m256i high_bare = _mm256_xor_si256(high_crs, _mm256_cmpeq_epi8(load(block + 33), lf));
  const __m256i bare = _mm256_or_si256(low_bare, high_bare);
  return {mask_of(low_crs, high_crs), static_cast<std::uint32_t>(_mm256_movemask_epi8(bare))};
}

[[gnu::target("avx2,bmi,popcnt")]] void scan_blocks(MailDataState& state, MailDataCursor& cursor) {
  const char* const last = cursor.in_end - block_reach;
  const char* in = cursor.in;
  char* out = cursor.out;
  while (in <= last) {
    const auto [crs, bare] = masks_of(in);
    if (bare != 0) break;
    copy_block(out, in);
    BlockLines lines(crs);
    do {
      copy_block(out + lines.cr - lines.removed, in + lines.cr + 1);
      if (state.in_header && lines.left != 0) note_header_line(state, in + lines.cr + 2);
    } while (in[lines.cr + 2] != '.' && lines.next());
    if (lines.left == 0) {
      in += block_octets;
      out += static_cast<int>(block_octets) - std::popcount(crs);
    } else {
      BlockPlace place{in, out - lines.removed};
      const bool is_begun = begin_after_dot(place, lines.cr);
      in = place.in;
      out = place.out;
      if (!is_begun) break;
    }
  }
  stand_between_blocks(state, cursor, {in, out});
}

}  // namespace

DecodedPiece decode_mail_data_avx2(MailDataState& state, std::string_view octets, std::span<char> out) {
  return decode_by_blocks(state, octets, out, scan_blocks);
}

}  // namespace postern::grammar
#endif
