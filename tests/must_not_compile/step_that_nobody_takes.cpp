// wanted: ignoring return value
// A step that is dropped is a reply that nobody sends and an effect that nobody performs.
#include "engine/session.hpp"

void serve(postern::engine::Session& session, std::span<char> scratch) {
#ifdef MISUSE
  session.step("NOOP\r\n", scratch);
#else
  static_cast<void>(session.step("NOOP\r\n", scratch));
#endif
}
