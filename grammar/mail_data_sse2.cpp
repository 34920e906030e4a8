#ifdef __x86_64__
#include <emmintrin.h>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

constexpr int register_octets = 16;

__m128i load(const char* octets) {
  __m128i loaded;
  std::memcpy(&loaded, octets, sizeof loaded);
  return loaded;
}

std::uint64_t mask_of(__m128i octets, int at) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(octets))) << at;
}

BlockMasks masks_of(const char* block) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i dot = _mm_set1_epi8('.');
  BlockMasks masks{};
  for (int at = 0; at < static_cast<int>(block_octets); at += register_octets) {
    const __m128i octets = load(block + at);
    const __m128i crs = _mm_cmpeq_epi8(octets, cr);
    const __m128i line_starts = _mm_cmpeq_epi8(load(block + at - 1), lf);
    const __m128i lfs_after = _mm_cmpeq_epi8(load(block + at + 1), lf);
    masks.crs |= mask_of(crs, at);
    masks.line_starts |= mask_of(line_starts, at);
    masks.dots |= mask_of(_mm_and_si128(line_starts, _mm_cmpeq_epi8(octets, dot)), at);
    masks.bare |= mask_of(_mm_xor_si128(crs, lfs_after), at);
  }
  return masks;
}

void scan_blocks(MailDataState& state, MailDataCursor& cursor) {
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

DecodedPiece decode_mail_data_sse2(MailDataState& state, std::string_view octets, std::span<char> out) {
  return decode_by_blocks(state, octets, out, scan_blocks);
}

}  // namespace postern::grammar
#endif
