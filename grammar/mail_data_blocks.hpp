// What the block scans share, for all that their registers differ.
//
// A block is 64 octets. The level (SSE2, AVX2) gives four masks of it, bit i for octet i:
//   line_starts  octets after LF
//   dots         dots that start a line
//   crs          CR
//   bare         CR not before LF, or LF not after CR (told at the octet before it)
// Without anything bare, the CRs and the dots are what mail data loses. The block is stored whole; then, for each octet
// that goes, what follows it is stored again one place further down. So a line costs one more store, no inner copy, and
// no branch that a processor could guess wrong. What is stored beyond the block's end, the next block overwrites.
// A block with something bare, or with a dot before CR, is left to the walk over octets.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "grammar/mail_data_walk.hpp"

namespace postern::grammar {

struct BlockMasks {
  std::uint64_t line_starts;
  std::uint64_t dots;
  std::uint64_t crs;
  std::uint64_t bare;
};

[[gnu::always_inline]] inline void copy_block(char* out, const char* in) { std::memcpy(out, in, block_octets); }

[[gnu::always_inline]] inline bool begins_with(const char* text, std::string_view lower_case_name) {
  for (std::size_t i = 0; i < lower_case_name.size(); ++i) {
    const bool is_letter = lower_case_name[i] >= 'a';
    if ((is_letter ? text[i] | 0x20 : text[i]) != lower_case_name[i]) return false;
  }
  return true;
}

// One header line, at least 16 octets of which can be read.
inline void note_header_line(MailDataState& state, const char* line) {
  if (*line == '\r') state.in_header = false;
  if (*line == '.') ++line;
  if (begins_with(line, "received:") || begins_with(line, "delivered-to:")) ++state.hops;
}

inline void note_header_lines(MailDataState& state, const char* block, std::uint64_t line_starts) {
  for (; line_starts != 0 && state.in_header; line_starts &= line_starts - 1) {
    note_header_line(state, block + std::countr_zero(line_starts));
  }
}

// Possibly CRLF.CRLF: a dot at a line's start, and CR after it.
[[gnu::always_inline]] inline bool may_end(const char* block, std::uint64_t dots) {
  for (; dots != 0; dots &= dots - 1) {
    if (block[std::countr_zero(dots) + 1] == '\r') return true;
  }
  return false;
}

// Returns the place in `out` after the block.
[[gnu::always_inline]] inline char* store_without(std::uint64_t removed, const char* block, char* out) {
  copy_block(out, block);
  char* const end = out + block_octets - std::popcount(removed);
  const int first = std::countr_zero(removed);  // 64 when none is: beyond the block
  copy_block(out + first, block + first + 1);
  for (removed &= removed - 1; removed != 0; removed &= removed - 1) {
    --out;
    const int octet = std::countr_zero(removed);
    copy_block(out + octet, block + octet + 1);
  }
  return end;
}

// The automaton's state after whole blocks, told by the octet before: their CRs have all been CRLF's.
inline void stand_after_blocks(MailDataState& state, const MailDataCursor& cursor) {
  using At = MailDataState::At;
  const char last = cursor.in[-1];
  state.at = last == '\r' ? At::cr : last == '\n' ? At::line_start : At::in_line;
  state.name_octets = 0;
  state.name_candidates = state.at == At::line_start && state.in_header ? MailDataState::all_names : 0;
}

}  // namespace postern::grammar
