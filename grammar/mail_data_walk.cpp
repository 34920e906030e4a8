#include "grammar/mail_data_walk.hpp"

#include <array>

#include "grammar/mail_data_levels.hpp"

namespace postern::grammar {
namespace {

using At = MailDataState::At;

// RFC 5321 6.3: what counts as a hop; Delivered-To: seed, as the original counts
constexpr std::array<std::string_view, 2> hop_names = {"received:", "delivered-to:"};

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

// A block scan looks one octet back for a line's start, and must not take a bare LF there for one.
bool is_ready_for_blocks(const MailDataState& state, const MailDataCursor& cursor) {
  if (*cursor.in == '\n') return false;
  if (state.at == At::line_start) return true;
  return state.at == At::in_line && state.name_candidates == 0 && cursor.in[-1] != '\n';
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
    const char octet = *cursor.in++;
    const bool is_plain = state.at == At::in_line && state.name_candidates == 0 && octet != '\r' && octet != '\n';
    if (is_plain) {
      *cursor.out++ = octet;
    } else if (take(state, cursor, octet)) {
      return true;
    }
  }
  return false;
}

DecodedPiece decode_by_blocks(MailDataState& state, std::string_view octets, std::span<char> out,
                              ScanBlocks& scan_blocks) {
  MailDataCursor cursor{octets.data(), octets.data() + octets.size(), out.data()};
  std::size_t by_octet = 1;  // the blocks look one octet back
  bool ended = false;
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
