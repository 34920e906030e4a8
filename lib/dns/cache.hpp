// Answers that are still good: bounded in number and in octets, without a clock.
// in      types and names, answers, the present
// out     the answer, until its time is over or its place is needed: the one that was wanted longest ago goes first
// time    what was found: its TTL, between `at_least` and `at_most`; `none` likewise, at most `none_at_most`; a failure
//         for `failed_for`. What may be kept for no time is not kept
// cost    each call takes O(1); what goes to make room once came
// key     a keyed hash of 128 bits: nobody can choose names that collide, and no name is kept
// lives   a found answer until the next call of put()
// shared  no: each loop has its own
// source  RFC 1035 3.2.1; RFC 2308 5, 7; RFC 2181 8
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "base/fixed_hash_map.hpp"
#include "base/sip_hash.hpp"
#include "dns/answer.hpp"
#include "dns/name.hpp"

namespace postern::dns {

struct CacheSettings {
  std::uint32_t max_entries = 4096;
  std::size_t max_octets = std::size_t{1} << 20U;
  std::chrono::seconds at_least{0};
  std::chrono::seconds at_most{3600};
  std::chrono::seconds none_at_most{900};
  std::chrono::seconds failed_for{5};
};

class Cache {
 public:
  // secret   octets that nobody else knows
  Cache(const CacheSettings& settings, const base::SipHash::Key& secret);

  // Null: it is not there, or not any more.
  [[nodiscard]] const Answer* find(Type type, const Name& name, base::Time now);
  void put(Type type, const Name& name, Answer answer, base::Time now);

  [[nodiscard]] std::size_t entries() const { return map_.size(); }
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    Answer answer;
    base::Time until{};
    std::uint32_t newer = none, older = none;  // by when they were wanted last
  };
  using Map = base::FixedHashMap<Entry>;
  static constexpr std::uint32_t none = Map::none;

  [[nodiscard]] Map::Key key_of(Type type, const Name& name) const;
  [[nodiscard]] std::chrono::seconds time_of(const Answer& answer) const;
  void make_newest(std::uint32_t index);
  void unlink(std::uint32_t index);
  void erase(std::uint32_t index);

  CacheSettings settings_;
  base::SipHash::Key secret_;
  Map map_;
  std::size_t octets_ = 0;
  std::uint32_t newest_ = none, oldest_ = none;
};

}  // namespace postern::dns
