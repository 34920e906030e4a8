// wanted: ignoring return value
// The reply to MAIL data is in the step that report() gives back.
#include "engine/session.hpp"

void tell(postern::engine::Session& session) {
#ifdef MISUSE
  session.report(postern::spec::Event::hand_over_accepted, "1 qp 2");
#else
  static_cast<void>(session.report(postern::spec::Event::hand_over_accepted, "1 qp 2"));
#endif
}
