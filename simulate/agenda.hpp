// What happens next on the virtual clock: the earliest first, and of one moment what was said first.
// in      a moment that is not past, its subject, what happens
// out     take(): the next one, removed
// cost    allocates only while it grows larger than it ever was
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/time.hpp"

namespace postern::simulate {

enum class Happening : std::uint8_t {
  connect,
  arrive,     // octets of the client reach the server
  take,       // the client takes what it was sent
  timer,      // a deadline of the session
  answer,     // an asker reports
  handshake,  // TLS has begun, or not
  reset,      // by the client
  commit,     // of the messages that wait for the disk
  shut_down,
  reload,
  memory_ends,
  power_cut,
};

struct Entry {
  engine::Time at;
  std::uint32_t order;
  std::uint32_t life;  // of the session; 0: it is no session's
  std::uint32_t mark;  // what makes it void when it is old: a ticket
  std::uint16_t slot;
  Happening what;

  friend bool operator>(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }
};

class Agenda {
 public:
  void add(Entry entry) {
    entry.order = order_++;
    entries_.push_back(entry);
    std::ranges::push_heap(entries_, std::greater<>());
  }
  [[nodiscard]] bool is_empty() const { return entries_.empty(); }
  [[nodiscard]] Entry take() {
    std::ranges::pop_heap(entries_, std::greater<>());
    const Entry next = entries_.back();
    entries_.pop_back();
    return next;
  }
  void clear() { entries_.clear(), order_ = 0; }

 private:
  std::vector<Entry> entries_;
  std::uint32_t order_ = 0;
};

}  // namespace postern::simulate
