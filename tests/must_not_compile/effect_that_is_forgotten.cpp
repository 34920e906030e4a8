// wanted: enumeration value
// Code that performs effects performs all of them: a switch without a default does not build when the spec has one more.
#include "spec/policy_row.hpp"

bool ends_the_session(postern::spec::Effect effect) {
  using postern::spec::Effect;
  switch (effect) {
    case Effect::close: return true;
    case Effect::none:
    case Effect::start_tls:
    case Effect::begin_transaction:
    case Effect::check_recipient:
    case Effect::add_recipient:
    case Effect::check_message:
    case Effect::begin_message:
    case Effect::hand_over:
    case Effect::abandon_message:
#ifndef MISUSE
    case Effect::check_credentials:
    case Effect::delay:
#endif
      break;
  }
  return false;
}
