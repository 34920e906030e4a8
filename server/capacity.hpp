// How many sessions and messages the descriptors of the process are enough for, and which have one: what is begun can end.
// in      the limit of descriptors (RLIMIT_NOFILE); the configuration
// out     Capacity. Kept back are those of the process itself, of a reload, of the metrics, of hand-overs and of check
//         programs; three quarters of the rest are for sessions, one is for messages between DATA and their outcome
// bounds  where the limit is so small that hand-overs would want more than half of it, fewer happen at once
// shared  MessageSlots by all threads
// source  getrlimit(2): RLIMIT_NOFILE; deviation D22
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "config/configuration.hpp"

namespace postern::server {

struct Capacity {
  std::uint32_t sessions;  // never 0
  std::uint32_t messages;  // never 0
  unsigned hand_overs;     // at once; never 0
  bool is_below_wishes;    // fewer than the configuration says
};
// More connections than sessions may be open for a moment: those that get a refusal.
inline constexpr std::uint32_t refused_connections = 16;

[[nodiscard]] Capacity capacity_for(const config::Configuration& settings, std::uint64_t descriptors);
// A sentence for an operator who configured more.
[[nodiscard]] std::string describe(const Capacity& capacity, std::uint64_t descriptors);
// RLIMIT_NOFILE, raised as far as it may be.
[[nodiscard]] std::uint64_t descriptor_limit();

class MessageSlots;

// The right to have one descriptor for a message; given back when it dies.
class MessageSlot {
 public:
  MessageSlot() = default;
  MessageSlot(MessageSlot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
  MessageSlot& operator=(MessageSlot&& other) noexcept {
    MessageSlot old(std::move(*this));
    slots_ = std::exchange(other.slots_, nullptr);
    return *this;
  }
  ~MessageSlot();
  [[nodiscard]] bool is_taken() const { return slots_ != nullptr; }

 private:
  friend class MessageSlots;
  explicit MessageSlot(MessageSlots* slots) : slots_(slots) {}
  MessageSlots* slots_ = nullptr;
};

class MessageSlots {
 public:
  explicit MessageSlots(std::uint32_t count) : free_(count) {}
  // Not taken when there is none.
  [[nodiscard]] MessageSlot take() {
    if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return MessageSlot(this);
    give_back();
    return {};
  }
  [[nodiscard]] std::int64_t free() const { return free_; }

 private:
  friend class MessageSlot;
  void give_back() { free_.fetch_add(1, std::memory_order_relaxed); }
  std::atomic<std::int64_t> free_;
};

inline MessageSlot::~MessageSlot() {
  if (slots_ != nullptr) slots_->give_back();
}

}  // namespace postern::server
