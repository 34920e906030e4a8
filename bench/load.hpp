// What the sessions of bench/load.cpp share: what is asked of them, and what came of it.
// lives   as long as the run; one thread
#pragma once

#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace postern::bench {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

struct Options {
  std::uint16_t port = 0;
  std::string mode = "message", tls = "none", from;
  bool is_pipelined = false;
  long sessions = 50, messages = 1000, a_session = 1, size = 1024, rate = 0, seconds = 60;
};

struct Latencies {
  std::vector<float> microseconds;
  void add(Time began, Time now) {
    microseconds.push_back(std::chrono::duration<float, std::micro>(now - began).count());
  }
  void print(const char* name) {
    std::ranges::sort(microseconds);
    const auto at = [&](double share) {
      const auto last = static_cast<double>(microseconds.size()) - 1;
      return microseconds.empty() ? 0.0 : double(microseconds[static_cast<std::size_t>(share * last)]);
    };
    std::printf(", \"%s\": {\"p50\": %.0f, \"p99\": %.0f, \"max\": %.0f}", name, at(0.5), at(0.99), at(1));
  }
};

struct Totals {
  long messages = 0, sessions = 0, failures = 0;
  Latencies command, stored, message, handshake;
};

class Session;

// What all sessions share.
struct Load {
  Options options;
  std::string text;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls{nullptr, SSL_CTX_free};
  int epoll = -1;
  long begun = 0;  // messages, or sessions where there are no messages; a session opens with its first one
  long open = 0;
  Totals totals;
  Time now;
  std::deque<Time> due;         // with a rate: messages that no session has taken yet
  std::vector<Session*> bored;  // with a rate: sessions that wait for one
  std::vector<Session*> ended;

  [[nodiscard]] bool is_idle() const { return options.mode == "idle"; }
  [[nodiscard]] bool is_over() const {
    if (options.rate != 0 || is_idle())
      return (is_idle() ? totals.sessions : totals.messages) + totals.failures >= options.messages;
    return begun >= options.messages && open == 0;
  }
  [[nodiscard]] bool may_open() const {
    if (open >= options.sessions || totals.failures > 100) return false;
    constexpr long most_opening = 64;
    if (is_idle() && open - totals.sessions >= most_opening) return false;
    return options.rate != 0 || begun < options.messages;
  }
};

}  // namespace postern::bench
