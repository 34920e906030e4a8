// A hash table of a fixed size: nothing in it moves, nothing is allocated once it is built, each call takes O(1).
// in      keys of 16 octets that clients may choose: a secret seed keeps them from choosing collisions
// out     indexes of entries, good until the entry is erased
// errors  insert gives `none` when the pool is full
// shared  no: under its owner's lock
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

namespace postern::base {

template <typename Value>
class FixedHashMap {
 public:
  using Key = std::array<std::uint8_t, 16>;
  using Index = std::uint32_t;
  static constexpr Index none = ~Index{0};

  FixedHashMap(Index capacity, std::uint64_t seed)
      : seed_(seed), capacity_(capacity), buckets_(std::bit_ceil(std::size_t{capacity} + 1), none) {
    entries_.reserve(capacity);  // memory becomes ours as it is used
  }

  [[nodiscard]] Value& operator[](Index index) { return entries_[index].value; }
  [[nodiscard]] const Value& operator[](Index index) const { return entries_[index].value; }
  [[nodiscard]] const Key& key_of(Index index) const { return entries_[index].key; }
  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] Index capacity() const { return capacity_; }
  // Each index that was ever given is below it; some may be erased.
  [[nodiscard]] Index slots() const { return static_cast<Index>(entries_.size()); }

  [[nodiscard]] Index find(const Key& key) const {
    Index index = buckets_[bucket_of(key)];
    while (index != none && entries_[index].key != key) index = entries_[index].next;
    return index;
  }

  // A key that is not there.
  [[nodiscard]] Index insert(const Key& key) {
    if (size_ == capacity_) return none;
    Index index = free_;
    if (index != none) {
      free_ = entries_[index].next;
    } else {
      index = static_cast<Index>(entries_.size());
      entries_.emplace_back();
    }
    Index& first = buckets_[bucket_of(key)];
    entries_[index] = {key, first, Value{}};
    first = index;
    ++size_;
    return index;
  }

  void erase(Index index) {
    Index* link = &buckets_[bucket_of(entries_[index].key)];
    while (*link != index) link = &entries_[*link].next;
    *link = entries_[index].next;
    entries_[index].next = free_;
    free_ = index;
    --size_;
  }

 private:
  struct Entry {
    Key key{};
    Index next = none;  // of the same bucket, or the next free one
    Value value{};
  };

  // The finaliser of splitmix64.
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
  }
  [[nodiscard]] std::size_t bucket_of(const Key& key) const {
    std::array<std::uint64_t, 2> halves;
    std::memcpy(halves.data(), key.data(), sizeof halves);
    return mixed(mixed(halves[0] ^ seed_) ^ halves[1] ^ std::rotl(seed_, 32)) & (buckets_.size() - 1);
  }

  std::uint64_t seed_;
  Index capacity_;
  Index size_ = 0;
  Index free_ = none;
  std::vector<Entry> entries_;
  std::vector<Index> buckets_;
};

}  // namespace postern::base
