// wanted: ignoring return value
// A line that is cut off and dropped is a command without a reply (RFC 5321 4.2).
#include "grammar/line.hpp"

void skip(postern::grammar::LineSplitter& lines) {
#ifdef MISUSE
  lines.next("NOOP\r\n", 512);
#else
  static_cast<void>(lines.next("NOOP\r\n", 512));
#endif
}
