// Questions to one service over connections that are used again: LMTP, and whatever else is asked over a stream.
// in      requests, each with the time it may take in all; addresses in the order in which they are wanted
// out     each request ends once: by ended(), with what the protocol has heard, or by failed(), when nothing was said, or without
//         a call, when it is withdrawn
// again   a connection that was idle and turns out to be dead is replaced by a new one, once, where the protocol says that
//         nothing of the request had an effect, and as long as its time is not over
// bounds  max_in_flight connections that are busy or being made, max_waiting requests in line: one more fails at
//         once. max_idle idle connections, the one used last is used first; none is idle for longer than max_idle_age,
//         and one that its server closes is closed at once
// down    addresses rest after a failed attempt (outbound_addresses.hpp). When none is left and no connection is there
//         either, all that wait fail at once; a request shortly before the end of a rest waits for it
// memory  is needed only for a new connection: its lack is ENOMEM of that attempt
// left    a connection whose request is withdrawn is closed: its answer would be taken for that to the next one
// lives   a request until it has ended; the pool until none is left; all on the loop's thread, which outlives both
// errors  base::StreamFailure: which address, what, errno
// source  docs/decisions/0013-outbound.md
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/flag_guard.hpp"
#include "loop/outbound_addresses.hpp"
#include "loop/outbound_stream.hpp"

namespace postern::loop {

template <typename Protocol>
class OutboundPool;

// Protocol   a base::ClientProtocol: its requests know which one
template <typename Protocol>
class OutboundRequest : private Timer {
 public:
  // Gives the request to the protocol, a new one or an idle one. Called again when the request is repeated.
  virtual void begin(Protocol& protocol, base::Time now) = 0;
  // The request has ended, well or not; its outcome is in the protocol. Either of the two may destroy it.
  virtual void ended(Protocol& protocol) = 0;
  virtual void failed(const base::StreamFailure& failure) = 0;

 protected:
  // Only while a pool has it. No call follows.
  void withdraw() { pool_->withdraw(*this); }

 private:
  friend class OutboundPool<Protocol>;
  void on_time() final { pool_->overdue(*this); }

  OutboundPool<Protocol>* pool_ = nullptr;
  OutboundStream* stream_ = nullptr;  // none: it waits
  bool is_repeated_ = false;
  bool is_overdue_ = false;  // its time in all is over
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

template <typename Protocol>
class OutboundPool {
 public:
  using Request = OutboundRequest<Protocol>;
  using MakeProtocol = std::move_only_function<std::unique_ptr<Protocol>()>;

  OutboundPool(Loop& loop, OutboundSettings settings, MakeProtocol make_protocol);
  OutboundPool(const OutboundPool&) = delete;
  OutboundPool& operator=(const OutboundPool&) = delete;
  ~OutboundPool();

  // A failure: the request has ended, and is not called. Calls nothing but begin().
  [[nodiscard]] std::optional<base::StreamFailure> submit(Request& request, base::Interval patience);
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }

 private:
  friend Request;

  // With its protocol, and the request that it serves.
  class Connection final : public OutboundStream {
   public:
    Connection(OutboundPool& pool, const OutboundAddresses::Attempt& attempt, std::unique_ptr<Protocol> protocol)
        : OutboundStream(pool.loop_, pool.addresses_.at(attempt.which), attempt, *protocol),
          pool_(pool),
          protocol_(std::move(protocol)) {}

    [[nodiscard]] Protocol& protocol() { return *protocol_; }
    [[nodiscard]] bool serves(const Request& request) const { return request_ == &request; }
    void serve(Request& request) {
      request.stream_ = this;
      request_ = &request;
      OutboundStream::serve();
    }

   private:
    void begin(base::Time now) override { request_->begin(*protocol_, now); }
    void on_connected() override { pool_.connected(*this); }
    void on_unreachable(int error) override { pool_.unreachable(*this, error); }
    void on_ended() override { pool_.ended(*this, *std::exchange(request_, nullptr)); }
    void on_idle_end() override { pool_.idle_ended(*this); }

    OutboundPool& pool_;
    std::unique_ptr<Protocol> protocol_;
    Request* request_ = nullptr;  // while busy
  };

  void connected(Connection& connection);
  void unreachable(Connection& connection, int error);
  void ended(Connection& connection, Request& request);
  void idle_ended(Connection& connection);
  void overdue(Request& request);
  void withdraw(Request& request);

  void serve_waiting();
  void match();
  [[nodiscard]] bool has_room() const { return connections_.size() - idle_.size() < settings_.max_in_flight; }
  [[nodiscard]] bool serve_by_idle();
  [[nodiscard]] bool open();
  [[nodiscard]] int connect(const OutboundAddresses::Attempt& attempt);
  void keep(Connection& connection);
  void drop(Connection& connection);
  // No waiting request will be served soon.
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
  std::vector<Request*> waiting_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;  // the one used last at the end
  std::size_t connecting_ = 0;
  bool is_returning_ = false;  // a connection is, from a request that may submit the next one
  Rested rested_{*this};
};

template <typename Protocol>
OutboundPool<Protocol>::OutboundPool(Loop& loop, OutboundSettings settings, MakeProtocol make_protocol)
    : loop_(loop),
      settings_(std::move(settings)),
      make_protocol_(std::move(make_protocol)),
      addresses_(std::move(settings_.addresses), settings_.rest, settings_.seed) {
  const std::size_t most_connections = settings_.max_in_flight + settings_.max_idle + 1;
  connections_.reserve(most_connections);
  idle_.reserve(most_connections);
  waiting_.reserve(2 * settings_.max_in_flight + settings_.max_waiting + 1);  // each in flight may be repeated
}

template <typename Protocol>
OutboundPool<Protocol>::~OutboundPool() {
  while (!connections_.empty()) drop(*connections_.back());
}

template <typename Protocol>
std::optional<base::StreamFailure> OutboundPool<Protocol>::submit(Request& request, base::Interval patience) {
  waiting_.push_back(&request);
  request.pool_ = this;
  request.stream_ = nullptr;
  request.is_repeated_ = request.is_overdue_ = false;
  if (!is_returning_) match();
  const bool waits = !waiting_.empty() && waiting_.back() == &request;
  const std::size_t soon_served = connecting_ + (is_returning_ ? 1 : 0);
  const bool has_no_place = waiting_.size() > soon_served + settings_.max_waiting;
  if (!waits || (!is_stuck() && !has_no_place)) {
    loop_.arm(request, patience);
    return std::nullopt;
  }
  const auto failure =
      is_stuck() ? addresses_.last_failure() : base::StreamFailure{.kind = base::StreamFailure::Kind::crowded};
  waiting_.pop_back();
  if (is_stuck()) loop_.arm(rested_, {});  // those in line before end in a turn of their own
  return failure;
}

// No request stays in line for a connection that will not come.
template <typename Protocol>
void OutboundPool<Protocol>::serve_waiting() {
  match();
  for (std::size_t left = waiting_.size(); left > 0 && is_stuck(); --left) {
    Request& request = *waiting_.front();
    waiting_.erase(waiting_.begin());
    request.disarm();
    request.failed(addresses_.last_failure());
  }
}

template <typename Protocol>
bool OutboundPool<Protocol>::is_stuck() const {
  return !waiting_.empty() && connections_.size() == idle_.size() && !addresses_.is_worth_waiting(loop_.now());
}

template <typename Protocol>
void OutboundPool<Protocol>::match() {
  while (!waiting_.empty() && serve_by_idle()) {
  }
  while (connecting_ < waiting_.size() && has_room() && open()) {
  }
  if (!waiting_.empty() && connecting_ == 0 && has_room()) loop_.arm(rested_, addresses_.next() - loop_.now());
}

// A request whose connection had died while it was idle wants a new one: the others may be as dead.
template <typename Protocol>
bool OutboundPool<Protocol>::serve_by_idle() {
  if (idle_.empty()) return false;
  const auto first = std::ranges::find(waiting_, false, &Request::is_repeated_);
  if (first == waiting_.end()) return false;
  Connection& connection = *idle_.back();
  idle_.pop_back();
  Request& request = **first;
  waiting_.erase(first);
  connection.serve(request);
  return true;
}

// True: a connection is being made.
template <typename Protocol>
bool OutboundPool<Protocol>::open() {
  while (const auto which = addresses_.pick(loop_.now())) {
    const OutboundAddresses::Attempt attempt = addresses_.begun(*which);
    const int error = connect(attempt);
    if (error == 0) return true;
    addresses_.failed(attempt, error, loop_.now());
  }
  return false;
}

template <typename Protocol>
int OutboundPool<Protocol>::connect(const OutboundAddresses::Attempt& attempt) {
  try {
    auto connection = std::make_unique<Connection>(*this, attempt, make_protocol_());
    if (const int error = connection->connect(settings_.connect_patience); error != 0) return error;
    connections_.push_back(std::move(connection));
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  ++connecting_;
  return 0;
}

template <typename Protocol>
void OutboundPool<Protocol>::connected(Connection& connection) {
  --connecting_;
  addresses_.connected(connection.attempt());
  if (waiting_.empty()) return drop(connection);
  Request& request = *waiting_.front();
  waiting_.erase(waiting_.begin());
  connection.serve(request);
  serve_waiting();
}

template <typename Protocol>
void OutboundPool<Protocol>::unreachable(Connection& connection, int error) {
  --connecting_;
  addresses_.failed(connection.attempt(), error, loop_.now());
  drop(connection);
  serve_waiting();
}

template <typename Protocol>
void OutboundPool<Protocol>::ended(Connection& connection, Request& request) {
  Protocol& protocol = connection.protocol();
  const bool is_usable = protocol.state() == base::ClientProtocol::State::idle;
  request.stream_ = nullptr;
  if (!is_usable && connection.is_reused() && protocol.may_repeat() && !request.is_overdue_) {
    request.is_repeated_ = true;
    waiting_.insert(waiting_.begin(), &request);
  } else {
    request.disarm();
    const base::FlagGuard returning(is_returning_);
    request.ended(protocol);
  }
  if (is_usable && connection.is_quiet())
    keep(connection);
  else
    drop(connection);
  serve_waiting();
}

template <typename Protocol>
void OutboundPool<Protocol>::idle_ended(Connection& connection) {
  std::erase(idle_, &connection);
  drop(connection);
}

template <typename Protocol>
void OutboundPool<Protocol>::overdue(Request& request) {
  request.is_overdue_ = true;
  if (request.stream_ != nullptr) return request.stream_->fail(base::StreamFailure::Kind::timed_out);
  std::erase(waiting_, &request);
  request.failed({.kind = base::StreamFailure::Kind::timed_out});
}

// Inside a call of the caller: those in line have their turn after it.
template <typename Protocol>
void OutboundPool<Protocol>::withdraw(Request& request) {
  request.disarm();
  std::erase(waiting_, &request);
  const auto serving = std::ranges::find_if(connections_, [&](const auto& one) { return one->serves(request); });
  if (serving != connections_.end()) drop(**serving);
  if (!waiting_.empty()) loop_.arm(rested_, {});
}

template <typename Protocol>
void OutboundPool<Protocol>::keep(Connection& connection) {
  connection.rest(settings_.max_idle_age);
  idle_.push_back(&connection);
  if (idle_.size() <= settings_.max_idle + waiting_.size()) return;
  Connection& oldest = *idle_.front();
  idle_.erase(idle_.begin());
  drop(oldest);
}

template <typename Protocol>
void OutboundPool<Protocol>::drop(Connection& connection) {
  connection.close();
  const auto found = std::ranges::find(connections_, &connection, &std::unique_ptr<Connection>::get);
  std::unique_ptr<Connection> one = std::move(*found);
  connections_.erase(found);
  loop_.dispose(std::move(one));
}

}  // namespace postern::loop
