// The octet-at-a-time side of mail data: the automaton itself, and the driver that lends it to a block scan.
// in      octets between in and in_end
// out     decoded octets at out, which has room for in_end - in + 2
// errors  none
// source  RFC 5321 4.5.2
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "grammar/mail_data.hpp"

namespace postern::grammar {

// RFC 5321 6.3: what counts as a hop; Delivered-To: seed, as the original counts
inline constexpr std::array<std::string_view, 2> hop_names = {"received:", "delivered-to:"};

struct MailDataCursor {
  const char* in;
  const char* in_end;
  char* out;

  [[nodiscard]] std::size_t octets_left() const { return static_cast<std::size_t>(in_end - in); }
};

// Takes the octets up to `until`, or up to CRLF.CRLF, and then says true.
[[nodiscard]] bool walk_mail_data(MailDataState& state, MailDataCursor& cursor, const char* until);

// Takes as many blocks as it can understand, while block_reach octets can be looked at. It begins inside a line whose
// name needs no looking at.
using ScanBlocks = void(MailDataState& state, MailDataCursor& cursor);
inline constexpr std::size_t block_octets = 64;
inline constexpr std::size_t block_reach = 2 * block_octets + 2;

[[nodiscard]] DecodedPiece decode_by_blocks(MailDataState& state, std::string_view octets, std::span<char> out,
                                            ScanBlocks& scan_blocks);

}  // namespace postern::grammar
