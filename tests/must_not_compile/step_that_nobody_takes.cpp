// wanted: ignoring return value
// A dropped step is a reply that is not sent and an effect that is not performed.
#include "engine/session.hpp"

void serve(postern::engine::Session& session, std::span<char> scratch) {
#ifdef MISUSE
  session.step("NOOP\r\n", scratch);
#else
  static_cast<void>(session.step("NOOP\r\n", scratch));
#endif
}
