// Mail data: undoes transparency, turns CRLF into LF, finds CRLF.CRLF, sees bare CR and LF, counts hops.
// in      octets after the 354 reply, in pieces of any size
// out     decoded octets, copied once into the caller's storage, and how much of the input was used
// state   a few octets of automaton, so that a cut anywhere changes nothing
// errors  none: what is wrong with the data is a fact (saw_bare_cr, saw_bare_lf, saw_nul, hops) that the policy judges
// source  RFC 5321 2.3.8, 4.1.1.4, 4.5.2, 6.3; deviation D4
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace postern::grammar {

struct DecodedPiece {
  std::size_t consumed;  // octets of the input; all of it unless `ended`
  std::size_t written;   // octets of the output
  bool ended;            // CRLF.CRLF was met; `consumed` ends with it
};

// Where the automaton stands between two octets, and what it has seen.
struct MailDataState {
  enum class At : std::uint8_t { line_start, in_line, cr, dot, dot_cr };
  static constexpr std::uint8_t all_names = 0b11;  // Received: and Delivered-To:

  At at = At::line_start;
  bool in_header = true;
  bool saw_bare_cr = false;
  bool saw_bare_lf = false;
  bool saw_nul = false;
  std::uint8_t name_octets = 0;              // how much of a field name this header line has matched
  std::uint8_t name_candidates = all_names;  // which names still fit; none beyond the header
  std::uint32_t hops = 0;
};

class MailData {
 public:
  // `out` holds at least octets.size() + 2; the two do not overlap. Nothing is to be decoded after `ended`.
  [[nodiscard]] DecodedPiece decode(std::string_view octets, std::span<char> out);

  [[nodiscard]] bool saw_bare_cr() const { return state_.saw_bare_cr; }
  [[nodiscard]] bool saw_bare_lf() const { return state_.saw_bare_lf; }
  [[nodiscard]] bool saw_nul() const { return state_.saw_nul; }
  // Received: and Delivered-To: lines of the header.
  [[nodiscard]] std::uint32_t hops() const { return state_.hops; }

 private:
  MailDataState state_;
};

}  // namespace postern::grammar
