// Questions to one service over connections that are used again: LMTP, and whatever else is asked over a stream.
// in      requests, each with the time it may take in all; addresses in the order in which they are wanted
// out     each request ends once: by ended(), with what the protocol has heard, or by failed(), when nothing was said
// again   a connection that was idle and turns out to be dead is replaced by a new one, once, where the protocol says that
//         nothing of the request had an effect
// bounds  max_in_flight connections that are busy or being made, max_waiting requests behind them: what is more fails at
//         once. max_idle idle connections, the one used last is used first; none is idle for longer than max_idle_age,
//         and one that its server closes is closed at once
// down    addresses rest after a failed attempt (outbound_addresses.hpp). When none is left and no connection is there
//         either, all that wait fail at once; who comes shortly before the end of a rest waits for it
// memory  but for a new connection, none is asked for: its lack is ENOMEM of that attempt
// lives   a request until it has ended; the pool until none is left; all on the loop's thread, which outlives both
// errors  base::StreamFailure: which address, what, errno
// source  docs/decisions/0013-outbound.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "loop/outbound_addresses.hpp"
#include "loop/outbound_stream.hpp"

namespace postern::loop {

class OutboundPool;

class OutboundRequest : private Timer {
 public:
  // Tells the protocol, a new one or one that is idle, what to say. It comes again when the request is repeated.
  virtual void begin(base::ClientProtocol& protocol, base::Time now) = 0;
  // The request has ended, well or not; its outcome is in the protocol. Either of the two may destroy it.
  virtual void ended(base::ClientProtocol& protocol) = 0;
  virtual void failed(const base::StreamFailure& failure) = 0;

 private:
  friend class OutboundPool;
  void on_time() final;

  OutboundPool* pool_ = nullptr;
  OutboundStream* stream_ = nullptr;  // none: it waits
  bool is_repeated_ = false;
};

struct OutboundSettings {
  std::vector<base::SocketAddress> addresses;
  base::Interval connect_patience = std::chrono::seconds(5);
  std::size_t max_in_flight = 32;
  std::size_t max_waiting = 0;
  std::size_t max_idle = 8;
  base::Interval max_idle_age = std::chrono::seconds(30);
  OutboundAddresses::Rest rest{};
  std::uint32_t seed = 1;
};

class OutboundPool final : private OutboundStream::Owner {
 public:
  using MakeProtocol = std::move_only_function<std::unique_ptr<base::ClientProtocol>()>;

  OutboundPool(Loop& loop, OutboundSettings settings, MakeProtocol make_protocol);
  OutboundPool(const OutboundPool&) = delete;
  OutboundPool& operator=(const OutboundPool&) = delete;
  ~OutboundPool();

  // A failure: the request has ended, and is not called. Calls nothing but begin().
  [[nodiscard]] std::optional<base::StreamFailure> submit(OutboundRequest& request, base::Interval patience);
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }

 private:
  friend class OutboundRequest;

  void on_connected(OutboundStream& stream) override;
  void on_unreachable(OutboundStream& stream, int error) override;
  void on_ended(OutboundStream& stream, OutboundRequest& request) override;
  void on_idle_end(OutboundStream& stream) override;
  void overdue(OutboundRequest& request);

  void serve_waiting();
  void match();
  [[nodiscard]] bool has_room() const { return streams_.size() - idle_.size() < settings_.max_in_flight; }
  [[nodiscard]] bool serve_by_idle();
  [[nodiscard]] bool open();
  [[nodiscard]] int connect(std::size_t which);
  void keep(OutboundStream& stream);
  void drop(OutboundStream& stream);
  // Nobody who waits will be served soon.
  [[nodiscard]] bool is_stuck() const;

  // While requests wait: the next address has rested.
  class Rested final : public Timer {
   public:
    explicit Rested(OutboundPool& pool) : pool_(pool) {}

   private:
    void on_time() override { pool_.serve_waiting(); }
    OutboundPool& pool_;
  };

  Loop& loop_;
  OutboundSettings settings_;
  MakeProtocol make_protocol_;
  OutboundAddresses addresses_;
  std::vector<OutboundRequest*> waiting_;
  std::vector<std::unique_ptr<OutboundStream>> streams_;
  std::vector<OutboundStream*> idle_;  // the one used last at the end
  std::size_t connecting_ = 0;
  bool is_returning_ = false;  // a connection is, from a request that may submit the next one
  Rested rested_{*this};
};

}  // namespace postern::loop
