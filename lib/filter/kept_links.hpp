// Connections to one filter that wait for their next message, for many threads.
// in      a connection whose protocol is idle
// out     one that is still quiet, or a new one
// bounds  as many as are given back, at most most_idle: the others are closed
// threads take() and give_back() are for any thread
// errors  take(): none, and there is nothing to give back
// source  base/blocking_client.hpp
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/blocking_client.hpp"

namespace postern::filter {

template <typename Protocol>
struct Link {
  base::Descriptor socket;
  std::unique_ptr<Protocol> protocol;
};

template <typename Protocol>
class KeptLinks {
 public:
  static constexpr std::size_t most_idle = 8;

  [[nodiscard]] std::optional<Link<Protocol>> take() {
    for (;;) {
      std::unique_lock lock(mutex_);
      if (idle_.empty()) return std::nullopt;
      Link<Protocol> link = std::move(idle_.back());
      idle_.pop_back();
      lock.unlock();
      if (base::is_quiet(link.socket)) return link;
    }
  }
  void give_back(Link<Protocol> link) {
    if (link.protocol->state() != base::ClientProtocol::State::idle) return;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(link));
  }

 private:
  std::mutex mutex_;
  std::vector<Link<Protocol>> idle_;  // under mutex_
};

}  // namespace postern::filter
