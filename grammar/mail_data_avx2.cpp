#ifdef __x86_64__
#include <immintrin.h>

#include <array>
#include <numeric>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

constexpr std::array<char, block_octets> numbers = [] {
  std::array<char, block_octets> all{};
  std::iota(all.begin(), all.end(), char{0});
  return all;
}();

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i load(const char* octets) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(octets));
}

[[gnu::target("avx2"), gnu::always_inline]] inline void store(char* octets, __m256i stored) {
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(octets), stored);
}

[[gnu::target("avx2"), gnu::always_inline]] inline std::uint64_t bits_of(__m256i octets) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(octets));
}

struct Block {
  __m256i low, high;              // octets 0 to 31, 32 to 63
  __m256i low_after, high_after;  // octets 1 to 32, 33 to 64
  __m256i bare;                   // not 0 before something bare, or where NUL is
  std::uint64_t crs;              // bit i for octet i
  int cr;                         // the first; 64 when there is none
};

[[gnu::target("avx2,bmi"), gnu::always_inline]] inline Block read_block(const char* in) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  Block block{load(in), load(in + 32), load(in + 1), load(in + 33), {}, 0, 0};
  const __m256i low_crs = _mm256_cmpeq_epi8(block.low, cr);
  const __m256i high_crs = _mm256_cmpeq_epi8(block.high, cr);
  const __m256i low_bare = _mm256_xor_si256(low_crs, _mm256_cmpeq_epi8(block.low_after, lf));
  const __m256i high_bare = _mm256_xor_si256(high_crs, _mm256_cmpeq_epi8(block.high_after, lf));
  // The least of two octets is NUL when one of them is.
  const __m256i nul = _mm256_cmpeq_epi8(_mm256_min_epu8(block.low, block.high), _mm256_setzero_si256());
  block.bare = _mm256_or_si256(_mm256_or_si256(low_bare, high_bare), nul);
  block.crs = bits_of(low_crs) | bits_of(high_crs) << 32;
  block.cr = std::countr_zero(block.crs);
  return block;
}

// Stores the octets before the first CR, and those after it.
[[gnu::target("avx2,bmi"), gnu::always_inline]] inline void store_without_cr(const Block& block, char* out) {
  const __m256i cr = _mm256_set1_epi8(static_cast<char>(block.cr));
  const __m256i is_low_before = _mm256_cmpgt_epi8(cr, load(numbers.data()));
  const __m256i is_high_before = _mm256_cmpgt_epi8(cr, load(numbers.data() + 32));
  store(out, _mm256_blendv_epi8(block.low_after, block.low, is_low_before));
  store(out + 32, _mm256_blendv_epi8(block.high_after, block.high, is_high_before));
}

[[gnu::target("avx2,bmi"), gnu::always_inline]] inline void copy_block(char* out, const char* in) {
  const __m256i low = load(in);
  const __m256i high = load(in + 32);
  store(out, low);
  store(out + 32, high);
}

// Two blocks of a message's body, with at most one CR each and no dot after it; else takes nothing, and says false.
[[gnu::target("avx2,bmi"), gnu::always_inline]] inline bool take_two(BlockPlace& place) {
  const Block first = read_block(place.in);
  const Block second = read_block(place.in + block_octets);
  const std::uint64_t further_crs = (first.crs & (first.crs - 1)) | (second.crs & (second.crs - 1));
  if ((further_crs | bits_of(_mm256_or_si256(first.bare, second.bare))) != 0) return false;
  if (place.in[first.cr + 2] == '.' || place.in[block_octets + static_cast<unsigned>(second.cr) + 2] == '.')
    return false;
  store_without_cr(first, place.out);
  place.out += block_octets - (first.crs != 0 ? 1 : 0);
  store_without_cr(second, place.out);
  place.out += block_octets - (second.crs != 0 ? 1 : 0);
  place.in += 2 * block_octets;
  return true;
}

// One block, up to a dot that begins a line; says false if the walk must go on.
[[gnu::target("avx2,bmi"), gnu::always_inline]] inline bool take_one(MailDataState& state, BlockPlace& place) {
  const Block block = read_block(place.in);
  if (bits_of(block.bare) != 0) return false;
  store_without_cr(block, place.out);
  BlockLines lines(block.crs);
  if (state.in_header && lines.left != 0) note_header_line(state, place.in + lines.cr + 2);
  while (place.in[lines.cr + 2] != '.' && lines.next()) {
    copy_block(place.out + lines.cr - lines.removed, place.in + lines.cr + 1);
    if (state.in_header) note_header_line(state, place.in + lines.cr + 2);
  }
  return leave_block(place, lines);
}

[[gnu::target("avx2,bmi")]] void scan_blocks(MailDataState& state, MailDataCursor& cursor) {
  const char* const last = cursor.in_end - block_reach;
  BlockPlace place{cursor.in, cursor.out};
  while (place.in <= last) {
    if (!state.in_header && place.in + block_octets <= last && take_two(place)) continue;
    if (!take_one(state, place)) break;
  }
  stand_between_blocks(state, cursor, place);
}

}  // namespace

DecodedPiece decode_mail_data_avx2(MailDataState& state, std::string_view octets, std::span<char> out) {
  return decode_by_blocks(state, octets, out, scan_blocks);
}

}  // namespace postern::grammar
#endif
