// What a session knows of the trace field of its message.
// lives   the name dies with the next call on the session
// source  RFC 5321 4.4; RFC 3848
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/session.hpp"

namespace postern::engine {

struct SessionTrace {
  enum class Greeting : std::uint8_t { none, helo, ehlo };

  std::string_view helo;  // what the client called itself, if it greeted at all
  Greeting greeting = Greeting::none;
  bool has_tls = false;
  bool is_authenticated = false;
};

[[nodiscard]] inline SessionTrace trace_of(const Session& session) {
  using Greeting = SessionTrace::Greeting;
  namespace bit = spec::bit;
  const spec::Guards guards = session.guards();
  return {.helo = session.client_name(),
          .greeting = guards.has(bit::greeting_ehlo)   ? Greeting::ehlo
                      : guards.has(bit::greeting_helo) ? Greeting::helo
                                                       : Greeting::none,
          .has_tls = !guards.has(bit::channel_clear),
          .is_authenticated = guards.has(bit::authentication_done)};
}

}  // namespace postern::engine
