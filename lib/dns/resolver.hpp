// Who answers questions to the DNS: on a loop (loop_resolver.hpp), or for a process that may wait (blocking_resolver.hpp).
#pragma once

#include "dns/channel.hpp"

namespace postern::dns {

class Resolver {
 public:
  // Null: the request waits now. Otherwise it has ended with this answer, and is not called. May throw std::bad_alloc.
  [[nodiscard]] virtual const Answer* ask(const Question& question, Request& request) = 0;

 protected:
  Resolver() = default;
  Resolver(Resolver&&) = default;
  ~Resolver() = default;
};

}  // namespace postern::dns
