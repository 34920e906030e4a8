#ifdef __x86_64__
#include <immintrin.h>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

constexpr int register_octets = 32;

[[gnu::target("avx2,bmi,popcnt")]] __m256i load(const char* octets) {
  __m256i loaded;
  std::memcpy(&loaded, octets, sizeof loaded);
  return loaded;
}

[[gnu::target("avx2,bmi,popcnt")]] std::uint64_t mask_of(__m256i octets, int at) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(octets))) << at;
}

[[gnu::target("avx2,bmi,popcnt")]] BlockMasks masks_of(const char* block) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  const __m256i dot = _mm256_set1_epi8('.');
  BlockMasks masks{};
  for (int at = 0; at < static_cast<int>(block_octets); at += register_octets) {
    const __m256i octets = load(block + at);
    const __m256i crs = _mm256_cmpeq_epi8(octets, cr);
    const __m256i line_starts = _mm256_cmpeq_epi8(load(block + at - 1), lf);
    const __m256i lfs_after = _mm256_cmpeq_epi8(load(block + at + 1), lf);
    masks.crs |= mask_of(crs, at);
    masks.line_starts |= mask_of(line_starts, at);
    masks.dots |= mask_of(_mm256_and_si256(line_starts, _mm256_cmpeq_epi8(octets, dot)), at);
    masks.bare |= mask_of(_mm256_xor_si256(crs, lfs_after), at);
  }
  return masks;
}

[[gnu::target("avx2,bmi,popcnt")]] void scan_blocks(MailDataState& state, MailDataCursor& cursor) {
  while (cursor.octets_left() >= block_reach) {
    const BlockMasks masks = masks_of(cursor.in);
    if (masks.bare != 0 || may_end(cursor.in, masks.dots)) break;
    if (state.in_header) note_header_lines(state, cursor.in, masks.line_starts);
    cursor.out = store_without(masks.crs | masks.dots, cursor.in, cursor.out);
    cursor.in += block_octets;
  }
  stand_after_blocks(state, cursor);
}

}  // namespace

DecodedPiece decode_mail_data_avx2(MailDataState& state, std::string_view octets, std::span<char> out) {
  return decode_by_blocks(state, octets, out, scan_blocks);
}

}  // namespace postern::grammar
#endif
