// wanted: could not convert|no viable conversion
// Guards are made of named bits, not by the way of a number.
#include "spec/policy_row.hpp"

postern::spec::Guards guards() {
#ifdef MISUSE
  return 5;
#else
  return {postern::spec::bit::SSL};
#endif
}
