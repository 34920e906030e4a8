// Cuts the octets of a client into lines that end with CRLF, and with nothing else.
// in      the octets not yet consumed; the first one begins a line (or continues one that was too long)
// out     Line; `text` is the line without its CRLF, points into `unread` and dies with it
// state   remembers how far it has looked, so that feeding one octet at a time costs no second look
// errors  a line that ends with a bare LF, or is longer than max_octets, is consumed whole and named; one that is both is
//         named bare_lf, since only a CRLF may say where the next line begins; allocates nothing
// source  RFC 5321 2.3.8, 4.5.3.1.4
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::grammar {

enum class LineKind : std::uint8_t {
  partial,   // no LF yet; `consumed` octets of an overlong line may be dropped all the same
  complete,  // `text` ended with CRLF
  bare_lf,   // ended with LF alone; `text` is what stood before it, empty when it was too long
  too_long,  // more than max_octets, CRLF included; `text` is empty
};

struct Line {
  LineKind kind;
  std::size_t consumed;  // octets of `unread`, line end included, that the caller drops
  std::string_view text;
};

class LineSplitter {
 public:
  // max_octets   the longest line, CRLF included; `unread` never needs to hold more than that
  [[nodiscard]] Line next(std::string_view unread, std::size_t max_octets);
  void forget() { *this = LineSplitter{}; }

 private:
  Line without_line_end(std::string_view unread, std::size_t max_octets);

  std::size_t scanned_ = 0;  // octets of `unread` known to hold no LF
  bool skipping_ = false;    // inside a line already known to be too long
  bool skipped_cr_ = false;  // and the last octet of it that was dropped is CR
};

}  // namespace postern::grammar
