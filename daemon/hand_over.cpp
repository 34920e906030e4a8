#include "daemon/hand_over.hpp"

#include <ctime>

namespace postern::daemon {

Outcome discarded() { return {Outcome::Result::accepted, std::to_string(std::time(nullptr)) + " discarded"}; }

}  // namespace postern::daemon
