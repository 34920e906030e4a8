// wanted: cannot convert|cannot initialize
// An event has a name.
#include "spec/policy_row.hpp"

postern::spec::Event event() {
#ifdef MISUSE
  return 3;
#else
  return postern::spec::Event::quit;
#endif
}
