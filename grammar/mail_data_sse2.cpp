#ifdef __x86_64__
#include <emmintrin.h>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

[[gnu::always_inline]] inline __m128i load(const char* octets) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(octets));
}

[[gnu::always_inline]] inline void store(char* octets, __m128i stored) {
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(octets), stored);
}

[[gnu::always_inline]] inline void copy_block(char* out, const char* in) {
  const __m128i octets0 = load(in);
  const __m128i octets1 = load(in + 16);
  const __m128i octets2 = load(in + 32);
  const __m128i octets3 = load(in + 48);
  store(out, octets0);
  store(out + 16, octets1);
  store(out + 32, octets2);
  store(out + 48, octets3);
}

[[gnu::always_inline]] inline std::uint64_t bits_of(__m128i octets) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(octets));
}

struct Masks {
  std::uint64_t crs;   // bit i for octet i
  std::uint64_t bare;  // not 0 before something bare, or where NUL is
};

[[gnu::always_inline]] inline Masks masks_of(const char* block) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i crs0 = _mm_cmpeq_epi8(load(block), cr);
  const __m128i crs1 = _mm_cmpeq_epi8(load(block + 16), cr);
  const __m128i crs2 = _mm_cmpeq_epi8(load(block + 32), cr);
  const __m128i crs3 = _mm_cmpeq_epi8(load(block + 48), cr);
  const __m128i bare0 = _mm_xor_si128(crs0, _mm_cmpeq_epi8(load(block + 1), lf));
  const __m128i bare1 = _mm_xor_si128(crs1, _mm_cmpeq_epi8(load(block + 17), lf));
  const __m128i bare2 = _mm_xor_si128(crs2, _mm_cmpeq_epi8(load(block + 33), lf));
  const __m128i bare3 = _mm_xor_si128(crs3, _mm_cmpeq_epi8(load(block + 49), lf));
  // The least of four octets is NUL when one of them is.
  const __m128i least =
      _mm_min_epu8(_mm_min_epu8(load(block), load(block + 16)), _mm_min_epu8(load(block + 32), load(block + 48)));
  const __m128i nul = _mm_cmpeq_epi8(least, _mm_setzero_si128());
  const __m128i bare = _mm_or_si128(_mm_or_si128(_mm_or_si128(bare0, bare1), _mm_or_si128(bare2, bare3)), nul);
  return {bits_of(crs0) | bits_of(crs1) << 16 | bits_of(crs2) << 32 | bits_of(crs3) << 48, bits_of(bare)};
}

// One block, up to a dot that begins a line; says false if the walk must go on.
[[gnu::always_inline]] inline bool take_one(MailDataState& state, BlockPlace& place) {
  const auto [crs, bare] = masks_of(place.in);
  if (bare != 0) return false;
  copy_block(place.out, place.in);
  BlockLines lines(crs);
  do {
    copy_block(place.out + lines.cr - lines.removed, place.in + lines.cr + 1);
    if (state.in_header && lines.left != 0) note_header_line(state, place.in + lines.cr + 2);
  } while (place.in[lines.cr + 2] != '.' && lines.next());
  return leave_block(place, lines);
}

void scan_blocks(MailDataState& state, MailDataCursor& cursor) {
  const char* const last = cursor.in_end - block_reach;
  BlockPlace place{cursor.in, cursor.out};
  while (place.in <= last && take_one(state, place)) {
  }
  stand_between_blocks(state, cursor, place);
}

}  // namespace

DecodedPiece decode_mail_data_sse2(MailDataState& state, std::string_view octets, std::span<char> out) {
  return decode_by_blocks(state, octets, out, scan_blocks);
}

}  // namespace postern::grammar
#endif
