// One connection of ours to a service, on an event loop: connects, and carries the octets of a protocol.
// in      an address; then one request after the other
// out     its owner hears when it is connected or is not, when a request has ended, and when it ends while idle
// lives   until its owner disposes of it, from any of those calls
// bounds  one piece of input and one of output at a time, and only so many in a turn of the loop: who floods us, or takes
//         a large message, leaves the others theirs. A Unix socket whose backlog is full is tried again at each tick
// errors  errno, or ETIMEDOUT when connecting takes too long; trouble of a request is told to its protocol
// source  connect(2), epoll(7): edge-triggered
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/child.hpp"
#include "base/client_protocol.hpp"
#include "base/socket_address.hpp"
#include "loop/loop.hpp"

namespace postern::loop {

class OutboundRequest;

class OutboundStream final : public Watcher, private Timer {
 public:
  class Owner {
   public:
    virtual void on_connected(OutboundStream& stream) = 0;
    virtual void on_unreachable(OutboundStream& stream, int error) = 0;
    // The protocol is busy no more.
    virtual void on_ended(OutboundStream& stream, OutboundRequest& request) = 0;
    virtual void on_idle_end(OutboundStream& stream) = 0;

   protected:
    ~Owner() = default;
  };

  // address   which of the owner's it is; it outlives the stream
  OutboundStream(Loop& loop, Owner& owner, const base::SocketAddress& address, std::size_t which,
                 std::unique_ptr<base::ClientProtocol> protocol)
      : loop_(loop), owner_(owner), address_(address), which_(which), protocol_(std::move(protocol)) {}

  // errno, when it is known at once that there will be no connection; nobody is called then.
  [[nodiscard]] int connect(base::Interval patience);
  [[nodiscard]] std::size_t which() const { return which_; }

  // The request begins, and ends in a later turn; while it goes on the stream is its own.
  void serve(OutboundRequest& request);
  [[nodiscard]] bool is_reused() const { return requests_ > 1; }
  [[nodiscard]] base::ClientProtocol& protocol() { return *protocol_; }
  // The request that goes on has failed.
  void fail(base::StreamFailure::Kind kind, int error = 0);

  // Whether nothing has come that nobody asked for.
  [[nodiscard]] bool is_quiet() const;
  // From now on the end of the stream, and its age, are told.
  void rest(base::Interval age);
  // A last word, if it can be said without waiting, and no event any more.
  void close();

  void on_ready(std::uint32_t events) override;

 private:
  enum class Phase : std::uint8_t { connecting, busy, idle, closed };

  void on_time() override;
  [[nodiscard]] int try_to_connect();
  void finish_connecting(std::uint32_t events);
  void begin();
  void carry();
  void end_if_over();
  [[nodiscard]] bool receive();
  [[nodiscard]] bool send();

  Loop& loop_;
  Owner& owner_;
  const base::SocketAddress& address_;
  std::size_t which_;
  std::unique_ptr<base::ClientProtocol> protocol_;
  base::Descriptor socket_;
  Phase phase_ = Phase::connecting;
  bool is_watched_ = false;
  base::Time connect_by_{};
  OutboundRequest* request_ = nullptr;  // while busy
  std::size_t requests_ = 0;
};

}  // namespace postern::loop
