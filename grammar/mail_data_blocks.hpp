// What the block scans share, although their registers differ.
//
// A block is 64 octets without a bare CR or LF and without NUL, so what mail data loses of it is its CRs. It is stored whole; then, for
// each CR, what follows is stored again, one place further down. So a line costs one more store, no inner copy, and
// seldom a branch that a processor guesses wrong. What is stored beyond the block's end, the next block overwrites.
// The lines of a header are looked at as they begin. After a dot that begins a line, a new block begins.
// What is bare, NUL, and a dot before CR or LF, is left to the walk over octets.
#pragma once

#include <bit>
#include <cstdint>

#include "grammar/mail_data_walk.hpp"

namespace postern::grammar {

// The CRs of one block, one after the other. A block without any has one beyond its end: copying what follows that does
// no harm, and asking whether there is one would cost a branch.
struct BlockLines {
  [[gnu::always_inline]] explicit BlockLines(std::uint64_t crs) : left(crs), cr(std::countr_zero(crs)) {}
  [[gnu::always_inline]] bool next() {
    removed += left != 0 ? 1 : 0;
    left &= left - 1;
    cr = std::countr_zero(left);
    return left != 0;
  }

  std::uint64_t left;  // the CR we are at, and all after it
  int cr;
  int removed = 0;  // CRs before this one
};

// Where the next block begins. All CRs before it were CRLF's; if a line begins there, its name has been looked at.
struct BlockPlace {
  const char* in;
  char* out;
};

// Whether the line is a hop, or the empty one that ends the header. block_reach leaves a name's octets to be read.
void note_name(MailDataState& state, const char* line);
[[gnu::always_inline]] inline void note_header_line(MailDataState& state, const char* line) {
  const int first = *line == '\r' || *line == '.' ? *line : *line | 0x20;
  if (first == 'r' || first == 'd' || first == '\r' || first == '.') note_name(state, line);
}

// Goes past the block, or, if it was left at a line that begins with a dot, past the dot. Says false, and stays
// before the dot, if only the walk can tell what that dot means.
[[gnu::always_inline]] inline bool leave_block(BlockPlace& place, const BlockLines& lines) {
  if (lines.left == 0) {
    place.in += block_octets;
    place.out += static_cast<int>(block_octets) - lines.removed;
    return true;
  }
  place.in += lines.cr + 2;
  place.out += lines.cr + 1 - lines.removed;
  if (place.in[1] == '\r' || place.in[1] == '\n') return false;
  ++place.in;  // RFC 5321 4.5.2
  return true;
}

// Hands the place over to the walk.
void stand_between_blocks(MailDataState& state, MailDataCursor& cursor, BlockPlace place);

}  // namespace postern::grammar
