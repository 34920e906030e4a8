// wanted: exception
// flags: -fno-exceptions
// grammar, spec and engine are built without exceptions: a client's mistake is an event, a real error a value.
#include "grammar/line.hpp"

int check(postern::grammar::LineKind kind) {
#ifdef MISUSE
  if (kind == postern::grammar::LineKind::too_long) throw 1;
#endif
  return static_cast<int>(kind);
}
