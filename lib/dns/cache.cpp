#include "dns/cache.hpp"

#include <algorithm>
#include <cstring>

namespace postern::dns {
namespace {

std::size_t octets_beside(const Answer& answer) {
  std::size_t octets = answer.addresses.capacity() * sizeof(base::Address);
  for (const std::string& text : answer.texts) octets += sizeof(std::string) + text.capacity();
  return octets;
}

}  // namespace

Cache::Cache(const CacheSettings& settings, const base::SipHash::Key& secret)
    : settings_(settings), secret_(secret), map_(settings.max_entries, secret[0]) {}

Cache::Map::Key Cache::key_of(Type type, const Name& name) const {
  base::SipHash hash(secret_);
  const auto number = static_cast<std::uint16_t>(type);
  hash.add({reinterpret_cast<const char*>(&number), sizeof number});
  hash.add({reinterpret_cast<const char*>(name.octets().data()), name.octets().size()});
  const base::SipHash::Digest digest = hash.digest();
  Map::Key key;
  std::memcpy(key.data(), digest.data(), sizeof key);
  return key;
}

std::chrono::seconds Cache::time_of(const Answer& answer) const {
  const std::chrono::seconds ttl(answer.ttl_seconds);
  switch (answer.kind) {
    case Answer::Kind::found: return std::min(std::max(ttl, settings_.at_least), settings_.at_most);
    case Answer::Kind::none: return std::min(std::max(ttl, settings_.at_least), settings_.none_at_most);
    case Answer::Kind::failed: return settings_.failed_for;
  }
  return {};
}

const Answer* Cache::find(Type type, const Name& name, base::Time now) {
  const std::uint32_t index = map_.find(key_of(type, name));
  if (index == none) return nullptr;
  if (map_[index].until <= now) {
    erase(index);
    return nullptr;
  }
  unlink(index);
  make_newest(index);
  return &map_[index].answer;
}

void Cache::put(Type type, const Name& name, Answer answer, base::Time now) {
  const Map::Key key = key_of(type, name);
  if (const std::uint32_t old = map_.find(key); old != none) erase(old);
  const std::chrono::seconds time = time_of(answer);
  const std::size_t octets = sizeof(Entry) + octets_beside(answer);
  if (time <= std::chrono::seconds(0) || octets > settings_.max_octets || map_.capacity() == 0) return;
  while (map_.size() == map_.capacity() || octets_ + octets > settings_.max_octets) erase(oldest_);
  const std::uint32_t index = map_.insert(key);
  map_[index].answer = std::move(answer);
  map_[index].until = now + time;
  octets_ += octets;
  make_newest(index);
}

void Cache::make_newest(std::uint32_t index) {
  map_[index].newer = none;
  map_[index].older = newest_;
  (newest_ == none ? oldest_ : map_[newest_].newer) = index;
  newest_ = index;
}

void Cache::unlink(std::uint32_t index) {
  const Entry& entry = map_[index];
  (entry.newer == none ? newest_ : map_[entry.newer].older) = entry.older;
  (entry.older == none ? oldest_ : map_[entry.older].newer) = entry.newer;
}

void Cache::erase(std::uint32_t index) {
  unlink(index);
  octets_ -= sizeof(Entry) + octets_beside(map_[index].answer);
  map_[index].answer = Answer{};  // its memory, now and not when the place is used again
  map_.erase(index);
}

}  // namespace postern::dns
