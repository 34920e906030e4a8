// One connection of ours to a service, on an event loop: connects, and carries the octets of a protocol.
// in      an address; then one request after the other
// out     who derives from it learns when it is connected or is not, when a request has ended, and when it ends while idle
// lives   until it is disposed of, from any of those calls; the protocol and the address outlive it
// bounds  one piece of input and one of output at a time, and only so many in a turn of the loop: who floods us, or takes
//         a large message, leaves the others theirs. A Unix socket whose backlog is full is tried again at each tick
// errors  errno, or ETIMEDOUT when connecting takes too long; the failure of a request goes to its protocol
// source  connect(2), epoll(7): edge-triggered
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/child.hpp"
#include "base/client_protocol.hpp"
#include "base/socket_address.hpp"
#include "loop/loop.hpp"
#include "loop/outbound_addresses.hpp"

namespace postern::loop {

class OutboundStream : public Watcher, private Timer {
 public:
  // errno, when it is known at once that there will be no connection; then nothing else is.
  [[nodiscard]] int connect(base::Interval patience);
  [[nodiscard]] const OutboundAddresses::Attempt& attempt() const { return attempt_; }

  [[nodiscard]] bool is_reused() const { return requests_ > 1; }
  // The request that goes on has failed.
  void fail(base::StreamFailure::Kind kind, int error = 0);

  // Whether nothing has come unasked.
  [[nodiscard]] bool is_quiet() const;
  // From now on the end of the stream, and its age, are reported.
  void rest(base::Interval age);
  // A last word, if it can be said without waiting, and no event any more.
  void close();

  void on_ready(std::uint32_t events) final;

 protected:
  // attempt   the pool's name for it
  OutboundStream(Loop& loop, const base::SocketAddress& address, const OutboundAddresses::Attempt& attempt,
                 base::ClientProtocol& protocol)
      : loop_(loop), address_(address), attempt_(attempt), protocol_(protocol) {}

  // A request begins, and ends in a later turn; while it goes on the stream is its own.
  void serve();

 private:
  // The request goes to the protocol.
  virtual void begin(base::Time now) = 0;
  virtual void on_connected() = 0;
  virtual void on_unreachable(int error) = 0;
  // The protocol is busy no more.
  virtual void on_ended() = 0;
  virtual void on_idle_end() = 0;

  enum class Phase : std::uint8_t { connecting, busy, idle, closed };

  void on_time() final;
  [[nodiscard]] int try_to_connect();
  void finish_connecting(std::uint32_t events);
  void begin_request();
  void carry();
  void end_if_over();
  [[nodiscard]] bool receive();
  [[nodiscard]] bool send();

  Loop& loop_;
  const base::SocketAddress& address_;
  OutboundAddresses::Attempt attempt_;
  base::ClientProtocol& protocol_;
  base::Descriptor socket_;
  Phase phase_ = Phase::connecting;
  bool is_watched_ = false;
  base::Time connect_by_{};
  std::size_t requests_ = 0;
};

}  // namespace postern::loop
