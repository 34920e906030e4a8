// A client's side of one connection, without I/O and without clock: greeting, one request after the other, farewell.
// in      octets from the server, how many of its own octets have been sent, the present; a failure of the connection
// out     octets to send, whether the request is still going on, until when the caller waits
// lives   as long as its connection. What output() shows is valid until the next call of anything
// callers lib/base/blocking_client.hpp waits for one connection; lib/loop/outbound_pool.hpp has many on an event loop
// bounds  what is kept of receive() is bounded by the protocol: a server that floods it ends the connection
// errors  a request that fails remembers why; the protocol is `ended` then
// source  https://sans-io.readthedocs.io: protocols apart from I/O
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace postern::base {

struct StreamFailure {
  enum class Kind : std::uint8_t {
    unreachable,  // no connection; errno says why
    timed_out,    // what was waited for did not come in time
    closed,       // by the other side; errno, or 0 at end of file
    crowded,      // too many requests wait already
  } kind;
  int error = 0;
  std::string_view address{};  // as its operator wrote it; lives as long as its user
};

// "connection closed, ECONNRESET: tcp:127.0.0.1:24"
[[nodiscard]] std::string describe(const StreamFailure& failure);
// ", ECONNRESET"; empty for 0.
[[nodiscard]] std::string error_in_words(int error);

class ClientProtocol {
 public:
  enum class State : std::uint8_t {
    idle,   // no request: nothing may come from the server
    busy,   // a request is going on
    ended,  // none is, and this connection is of no more use
  };

  ClientProtocol() = default;
  ClientProtocol(const ClientProtocol&) = delete;
  ClientProtocol& operator=(const ClientProtocol&) = delete;
  virtual ~ClientProtocol() = default;

  [[nodiscard]] virtual State state() const = 0;
  // What is to be sent now; empty: nothing before something comes.
  [[nodiscard]] virtual std::string_view output() const = 0;
  // So many octets of output() were sent.
  virtual void sent(std::size_t octets, Time now) = 0;
  virtual void receive(std::string_view octets, Time now) = 0;
  // While busy: when the caller shall call fail(timed_out).
  [[nodiscard]] virtual Time deadline() const = 0;
  // The connection has failed, or its time has passed: `ended` now.
  virtual void fail(const StreamFailure& failure) = 0;
  // Of the request that has failed: nothing of it had any effect, so it may be sent again over another connection.
  [[nodiscard]] virtual bool may_repeat() const = 0;
  // What is said, if it can be without waiting, before an idle connection is closed.
  [[nodiscard]] virtual std::string_view farewell() const { return {}; }
};

}  // namespace postern::base
