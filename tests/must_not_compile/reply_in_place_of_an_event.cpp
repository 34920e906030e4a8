// wanted: cannot convert|cannot initialize
// A reply, an event and a rule may have one name (`helo`), and are not one thing.
#include "engine/policy.hpp"

std::uint64_t care(postern::spec::Guards guards) {
#ifdef MISUSE
  return postern::engine::decide(guards, postern::spec::Rule::helo)->care;
#else
  return postern::engine::decide(guards, postern::spec::Event::helo)->care;
#endif
}
