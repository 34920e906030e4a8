#include "grammar/mail_data_walk.hpp"

#include <cstring>

#include "grammar/mail_data_blocks.hpp"
#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

using At = MailDataState::At;

char lower(char octet) { return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet | 0x20) : octet; }

void match_name(MailDataState& state, char octet) {
  for (std::size_t i = 0; i < hop_names.size(); ++i) {
    const auto bit = static_cast<std::uint8_t>(1U << i);
    if ((state.name_candidates & bit) == 0) continue;
    const bool fits = hop_names[i][state.name_octets] == lower(octet);
    const bool is_whole = fits && state.name_octets + 1U == hop_names[i].size();
    if (is_whole) ++state.hops;
    if (is_whole || !fits) state.name_candidates = static_cast<std::uint8_t>(state.name_candidates & ~bit);
  }
  ++state.name_octets;
}

void put(MailDataState& state, MailDataCursor& cursor, char octet) {
  *cursor.out++ = octet;
  state.at = At::in_line;
  if (state.name_candidates != 0) match_name(state, octet);
}

void put_bare_cr(MailDataState& state, MailDataCursor& cursor) {
  state.saw_bare_cr = true;
  put(state, cursor, '\r');
}

void take_in_line(MailDataState& state, MailDataCursor& cursor, char octet) {
  if (octet == '\r') {
    state.at = At::cr;
    return;
  }
  if (octet == '\n') state.saw_bare_lf = true;
  if (octet == '\0') state.saw_nul = true;
  put(state, cursor, octet);
}

void end_line(MailDataState& state, MailDataCursor& cursor) {
  *cursor.out++ = '\n';
  // RFC 5322 2.1: the header ends at the first empty line
  if (state.name_octets == 0 && state.name_candidates != 0) state.in_header = false;
  state.name_octets = 0;
  state.name_candidates = state.in_header ? MailDataState::all_names : 0;
  state.at = At::line_start;
}

// Eight octets at a time: is one of them `octet`?
bool has(std::uint64_t eight, unsigned char octet) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t zero_where_equal = eight ^ ones * octet;
  return ((zero_where_equal - ones) & ~zero_where_equal & ones << 7) != 0;
}

void copy_to_line_end(MailDataCursor& cursor, const char* until) {
  const char* in = cursor.in;
  char* out = cursor.out;
  for (std::uint64_t eight = 0; until - in >= 8; in += 8, out += 8) {
    std::memcpy(&eight, in, sizeof eight);
    if (has(eight, '\r') || has(eight, '\n') || has(eight, '\0')) break;
    std::memcpy(out, &eight, sizeof eight);
  }
  while (in != until && *in != '\r' && *in != '\n' && *in != '\0') *out++ = *in++;
  cursor.in = in;
  cursor.out = out;
}

// RFC 5321 4.5.2, octet by octet; true at the end of the mail data
bool take(MailDataState& state, MailDataCursor& cursor, char octet) {
  if (state.at == At::line_start && octet == '.') {
    state.at = At::dot;
  } else if (state.at == At::dot && octet == '\r') {
    state.at = At::dot_cr;
  } else if (state.at == At::dot_cr && octet == '\n') {
    return true;  // RFC 5321 4.1.1.4
  } else if (state.at == At::cr && octet == '\n') {
    end_line(state, cursor);
  } else {
    if (state.at == At::cr || state.at == At::dot_cr) put_bare_cr(state, cursor);
    take_in_line(state, cursor, octet);
  }
  return false;
}

// A block begins inside a line whose name needs no looking at, and is asked for bare LFs after its first octet only.
bool is_ready_for_blocks(const MailDataState& state, const MailDataCursor& cursor) {
  return state.at == At::in_line && state.name_candidates == 0 && *cursor.in != '\n';
}

// A header line whose whole name lies before us is looked at once instead of octet by octet.
void look_at_line(MailDataState& state, const MailDataCursor& cursor) {
  const bool is_unseen = state.at == At::line_start && state.name_candidates != 0;
  if (!is_unseen || cursor.octets_left() < block_reach) return;
  if (*cursor.in == '.' || *cursor.in == '\r' || *cursor.in == '\n') return;
  note_header_line(state, cursor.in);
  state.at = At::in_line;
  state.name_candidates = 0;
}

bool walk_until_ready(MailDataState& state, MailDataCursor& cursor) {
  while (cursor.in != cursor.in_end && !is_ready_for_blocks(state, cursor)) {
    if (take(state, cursor, *cursor.in++)) return true;
  }
  return false;
}

}  // namespace

bool walk_mail_data(MailDataState& state, MailDataCursor& cursor, const char* until) {
  while (cursor.in != until) {
    if (state.at == At::in_line && state.name_candidates == 0) copy_to_line_end(cursor, until);
    if (cursor.in == until) return false;
    const char octet = *cursor.in;
    ++cursor.in;
    if (take(state, cursor, octet)) return true;
  }
  return false;
}

DecodedPiece decode_by_blocks(MailDataState& state, std::string_view octets, std::span<char> out,
                              ScanBlocks& scan_blocks) {
  MailDataCursor cursor{octets.data(), octets.data() + octets.size(), out.data()};
  std::size_t by_octet = 0;
  bool ended = false;
  look_at_line(state, cursor);
  while (!ended && cursor.in != cursor.in_end) {
    if (cursor.octets_left() < by_octet + block_reach) by_octet = cursor.octets_left();
    ended = walk_mail_data(state, cursor, cursor.in + by_octet) || walk_until_ready(state, cursor);
    if (!ended && cursor.octets_left() >= block_reach) scan_blocks(state, cursor);
    by_octet = block_octets;  // the block that the scan did not understand
  }
  return {static_cast<std::size_t>(cursor.in - octets.data()), static_cast<std::size_t>(cursor.out - out.data()),
          ended};
}

DecodedPiece decode_mail_data_plain(MailDataState& state, std::string_view octets, std::span<char> out) {
  MailDataCursor cursor{octets.data(), octets.data() + octets.size(), out.data()};
  const bool ended = walk_mail_data(state, cursor, cursor.in_end);
  return {static_cast<std::size_t>(cursor.in - octets.data()), static_cast<std::size_t>(cursor.out - out.data()),
          ended};
}

}  // namespace postern::grammar
