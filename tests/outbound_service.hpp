// A service on loopback that follows a script, and what is said to it: a line is asked, a line is answered.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/child.hpp"
#include "base/client_protocol.hpp"
#include "base/socket_address.hpp"

namespace postern::loop {

// One connection, at the side of the service.
class Peer {
 public:
  Peer(base::Descriptor socket, const std::atomic<bool>& is_ending)
      : socket_(std::move(socket)), is_ending_(is_ending) {}

  // None: the end, of the connection or of the test.
  std::optional<std::string> hear() {
    while (!unread_.contains('\n')) {
      if (!wait()) return std::nullopt;
      std::array<char, 4096> octets;
      const ssize_t got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
      if (got <= 0) return std::nullopt;
      unread_.append(octets.data(), static_cast<std::size_t>(got));
    }
    std::string line = unread_.substr(0, unread_.find('\n'));
    unread_.erase(0, line.size() + 1);
    return line;
  }
  bool say(std::string_view octets) {
    return ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
  }
  // The other side gets ECONNRESET.
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.close();
  }
  void end_output() { ::shutdown(socket_.number(), SHUT_WR); }
  // Sends and receives nothing.
  void be_silent() const {
    while (!is_ending_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

 private:
  [[nodiscard]] bool wait() const {
    while (!is_ending_) {
      pollfd watched{.fd = socket_.number(), .events = POLLIN, .revents = 0};
      if (::poll(&watched, 1, 5) > 0) return true;
    }
    return false;
  }

  base::Descriptor socket_;
  const std::atomic<bool>& is_ending_;
  std::string unread_;
};

inline base::SocketAddress loopback(in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  base::SocketAddress result{.octets = sizeof address, .text = "tcp:127.0.0.1:" + std::to_string(port)};
  std::memcpy(&result.storage, &address, sizeof address);
  return result;
}

// Bound and not listening: no other process gets the port, and it refuses.
class TakenPort {
 public:
  TakenPort() {
    const base::SocketAddress any = loopback(0);
    sockaddr_in bound{};
    socklen_t octets = sizeof bound;
    if (::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&any.storage), any.octets) != 0 ||
        ::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&bound), &octets) != 0)
      std::abort();
    address_ = loopback(ntohs(bound.sin_port));
  }
  [[nodiscard]] const base::SocketAddress& address() const { return address_; }
  void listen() const {
    if (::listen(socket_.number(), 64) != 0) std::abort();
  }
  [[nodiscard]] base::Descriptor accept() const {
    pollfd watched{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    if (::poll(&watched, 1, 5) <= 0) return {};
    return base::Descriptor(::accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  base::Descriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  base::SocketAddress address_;
};

class Service {
 public:
  // which   the first connection is 0
  using Manner = std::function<void(Peer& peer, std::size_t which)>;

  explicit Service(Manner manner) : manner_(std::move(manner)) {
    port_.listen();
    start();
  }
  Service(Manner manner, TakenPort port) : manner_(std::move(manner)), port_(std::move(port)) {
    port_.listen();
    start();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() {
    is_ending_ = true;
    listening_.join();
    conversations_.clear();
  }

  [[nodiscard]] const base::SocketAddress& address() const { return port_.address(); }
  [[nodiscard]] std::size_t connections() const { return connections_; }
  [[nodiscard]] int most_at_once() const { return most_; }

 private:
  void start() {
    listening_ = std::jthread([this] {
      while (!is_ending_)
        if (base::Descriptor socket = port_.accept(); socket.is_open()) begin(std::move(socket));
    });
  }
  void begin(base::Descriptor socket) {
    conversations_.emplace_back([this, socket = std::move(socket), which = connections_++]() mutable {
      const int now = ++open_;
      for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
      }
      Peer peer(std::move(socket), is_ending_);
      manner_(peer, which);
      --open_;
    });
  }

  Manner manner_;
  TakenPort port_;
  std::atomic<bool> is_ending_ = false;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<int> open_ = 0, most_ = 0;
  std::vector<std::jthread> conversations_;
  std::jthread listening_;
};

inline void echo(Peer& peer, std::size_t) {
  while (const auto line = peer.hear()) peer.say("re " + *line + "\n");
}

// A line is asked, a line is answered.
class LineProtocol final : public base::ClientProtocol {
 public:
  static constexpr std::size_t max_octets = 1000;

  void begin(std::string line, base::Time now, base::Interval patience) {
    output_ = std::move(line) + "\n";
    answer_.clear();
    failure_.reset();
    deadline_ = now + patience;
    state_ = State::busy;
  }
  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override { return output_; }
  void sent(std::size_t octets, base::Time) override { output_.erase(0, octets); }
  void receive(std::string_view octets, base::Time) override {
    answer_ += octets;
    most_octets_ = std::max(most_octets_, answer_.size());
    if (answer_.ends_with('\n')) state_ = State::idle;
    if (answer_.size() > max_octets) state_ = State::ended;
  }
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure& failure) override {
    failure_ = failure;
    state_ = State::ended;
  }
  [[nodiscard]] bool may_repeat() const override { return answer_.empty() && failure_.has_value(); }
  [[nodiscard]] std::string_view farewell() const override { return failure_ ? "" : "bye\n"; }

  std::string answer_;
  std::optional<base::StreamFailure> failure_;
  std::size_t most_octets_ = 0;

 private:
  State state_ = State::busy;
  std::string output_;
  base::Time deadline_{};
};

}  // namespace postern::loop
