// Where a service listens, and which of its addresses is worth a connection now.
// in      addresses in the order in which they are wanted; how attempts to connect have ended; the present
// out     the first address that is not resting. One that has failed rests for a while: twice as long each time, and half
//         of that at least, by chance, so that many that failed together do not come back together
// probe   after its rest one attempt at a time is begun, until one succeeds; an attempt begun before the rest ends no probe
// errors  the last failure, for requests that find none
// source  exponential back-off with jitter: RFC 5321 4.5.4.1 asks for it where mail is tried again
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "base/client_protocol.hpp"
#include "base/socket_address.hpp"

namespace postern::loop {

class OutboundAddresses {
 public:
  struct Rest {
    base::Interval first = std::chrono::milliseconds(100);
    base::Interval longest = std::chrono::seconds(5);
    base::Interval worth_waiting = std::chrono::milliseconds(500);  // for its end
  };

  struct Attempt {
    std::size_t which;
    std::uint32_t probe;  // its number; 0: it is none
  };

  // seed   of the chance
  OutboundAddresses(std::vector<base::SocketAddress> addresses, const Rest& rest, std::uint32_t seed);

  [[nodiscard]] const base::SocketAddress& at(std::size_t which) const { return all_[which].address; }
  // None: all are resting, or are being probed.
  [[nodiscard]] std::optional<std::size_t> pick(base::Time now) const;
  // Each of begun() ends by one of the others.
  [[nodiscard]] Attempt begun(std::size_t which);
  void connected(const Attempt& attempt);
  void failed(const Attempt& attempt, int error, base::Time now);

  // When the first of them has rested.
  [[nodiscard]] base::Time next() const;
  // Whether a request that finds none shall wait for that: not for long, and not when an attempt has just failed.
  [[nodiscard]] bool is_worth_waiting(base::Time now) const;

  [[nodiscard]] const base::StreamFailure& last_failure() const { return last_failure_; }

 private:
  struct Address {
    base::SocketAddress address;
    base::Interval rest{};  // none: the last attempt has succeeded
    base::Time until{};
    std::uint32_t probe = 0;  // that is on its way
  };

  std::vector<Address> all_;
  Rest rest_;
  std::minstd_rand chance_;
  std::uint32_t probes_ = 0;
  base::Time last_failed_{};
  base::StreamFailure last_failure_{.kind = base::StreamFailure::Kind::unreachable};
};

}  // namespace postern::loop
