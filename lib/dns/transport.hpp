// Carries queries to resolvers and brings what they answer: sends again, asks the next server, changes to TCP.
// in      the octets of a query, with an identifier that nobody can guess, and a token of the caller's
// out     Receiver::heard(), once for each send(), perhaps within it: the octets of an answer to this very question, or why
//         there is none. They live until it returns
// waits   no call does: its owner waits until descriptor() can be read, at most until_next(), and calls process()
// shared  no: one thread at a time
// errors  Receiver::heard_nothing(), with an Answer::Failure
// source  RFC 1035 4.2; docs/decisions/0017-names-by-c-ares.md
#pragma once

#include <cstdint>
#include <span>

#include "base/clock.hpp"
#include "dns/answer.hpp"

namespace postern::dns {

class Receiver {
 public:
  virtual void heard(std::uint64_t token, std::span<const std::uint8_t> message) = 0;
  virtual void heard_nothing(std::uint64_t token, Answer::Failure why) = 0;

 protected:
  ~Receiver() = default;
};

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual void send(std::span<const std::uint8_t> query, std::uint64_t token, Receiver& receiver) = 0;
  virtual void process() = 0;
  [[nodiscard]] virtual int descriptor() const = 0;
  [[nodiscard]] virtual base::Interval until_next(base::Interval bound) const = 0;
};

}  // namespace postern::dns
