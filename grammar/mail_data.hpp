// Mail data: undoes transparency, turns CRLF into LF, finds CRLF.CRLF, sees bare CR and LF, counts hops.
// in      octets after the 354 reply, in pieces of any size
// out     decoded octets, copied once into the caller's storage, and how much of the input was used
// state   a few octets of automaton, so that a cut anywhere changes nothing
// errors  none: what is wrong with the data is a fact (saw_bare_cr, saw_bare_lf, hops) that the policy judges
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

class MailData {
 public:
  // `out` holds at least octets.size() + 2; the two views do not overlap.
  [[nodiscard]] DecodedPiece decode(std::string_view octets, std::span<char> out);

  [[nodiscard]] bool saw_bare_cr() const { return saw_bare_cr_; }
  [[nodiscard]] bool saw_bare_lf() const { return saw_bare_lf_; }
  // Received: and Delivered-To: lines of the header.
  [[nodiscard]] std::uint32_t hops() const { return hops_; }

 private:
  // Where the automaton stands between two octets.
  enum class At : std::uint8_t { line_start, in_line, cr, dot, dot_cr };
  At at_ = At::line_start;
  bool in_header_ = true;
  bool saw_bare_cr_ = false;
  bool saw_bare_lf_ = false;
  std::uint32_t hops_ = 0;
  std::uint8_t name_octets_ = 0;       // how much of a field name this header line has matched
  std::uint8_t name_candidates_ = 0;   // which names still fit
};

}  // namespace postern::grammar
