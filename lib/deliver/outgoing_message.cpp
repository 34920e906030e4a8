#include "deliver/outgoing_message.hpp"

#include <ctime>

namespace postern::deliver {

Outcome discarded() { return {Outcome::Result::accepted, std::to_string(std::time(nullptr)) + " discarded"}; }

Outcome withdrawn() { return {Outcome::Result::client_gone, "the client has left, and nothing is stored"}; }

}  // namespace postern::deliver
