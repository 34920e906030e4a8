#include "limits/guess_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

namespace postern::limits {
namespace {

constexpr std::chrono::seconds window{spec::failed_auth_seconds};
constexpr std::chrono::seconds whole_count = window + window / 12;  // as far back as a SlidingCount may reach
constexpr std::uint32_t most_looked_at = 256;

bool is_reached(std::uint32_t limit, std::uint32_t count) { return limit != 0 && count >= limit; }

template <typename T>
std::string_view octets_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

GuessTable::GuessTable(const GuessLimits& limits, std::vector<base::Network> exempt, const base::SipHash::Key& secret,
                       std::uint32_t capacity)
    : limits_(limits),
      exempt_(std::move(exempt)),
      secret_(secret),
      capacity_(capacity),
      users_{.pool = Pool(capacity, secret[0]), .open = {}, .shut = {}},
      addresses_{.pool = Pool(capacity, secret[1]), .open = {}, .shut = {}} {
  make_room_for_harvesters();
}

void GuessTable::set(const GuessLimits& limits, std::vector<base::Network> exempt) {
  const std::scoped_lock lock(mutex_);
  limits_ = limits;
  exempt_.swap(exempt);
  make_room_for_harvesters();
}

void GuessTable::make_room_for_harvesters() {
  const bool are_counted = limits_.recipients_per_address != 0;
  if (are_counted && !harvesters_)
    harvesters_.emplace(Gates{.pool = Pool(capacity_, secret_[0] ^ secret_[1]), .open = {}, .shut = {}});
  has_harvesters_.store(are_counted, std::memory_order_relaxed);
}

GuessTable::Figures GuessTable::figures() const {
  const std::scoped_lock lock(mutex_);
  return {users_.pool.size(), addresses_.pool.size(), users_.shut.size, addresses_.shut.size,
          harvesters_ ? harvesters_->pool.size() : 0};
}

bool GuessTable::is_exempt(const base::Address& address) const {
  return std::ranges::any_of(exempt_, [&](const base::Network& network) { return network.contains(address); });
}

GuessTable::Pool::Key GuessTable::key_of(const base::Address& client, engine::UserMark user) const {
  base::SipHash hash(secret_);
  hash.add(octets_of(client.mapped()));
  hash.add(octets_of(user));
  return std::bit_cast<Pool::Key>(hash.digest());
}

bool GuessTable::is_shut(const base::Address& address, base::Time now) const {
  const std::scoped_lock lock(mutex_);
  const Index index = addresses_.pool.find(base::client_of(address).mapped());
  return index != Pool::none && !is_exempt(address) &&
         is_reached(limits_.users_per_address, addresses_.pool[index].count.count(now, window));
}

bool GuessTable::is_shut(const base::Address& address, engine::UserMark user, base::Time now) const {
  const auto key = key_of(base::client_of(address), user);
  const std::scoped_lock lock(mutex_);
  const Index index = users_.pool.find(key);
  return index != Pool::none && !is_exempt(address) &&
         is_reached(limits_.failures_per_user, users_.pool[index].count.count(now, window));
}

bool GuessTable::is_harvesting(const base::Address& address, base::Time now) const {
  if (!has_harvesters_.load(std::memory_order_relaxed)) return false;
  const std::scoped_lock lock(mutex_);
  const Index index = harvesters_->pool.find(base::client_of(address).mapped());
  return index != Pool::none && !is_exempt(address) &&
         is_reached(limits_.recipients_per_address, harvesters_->pool[index].count.count(now, window));
}

UnknownRecipient GuessTable::unknown_recipient(const base::Address& address, base::Time now) {
  if (!has_harvesters_.load(std::memory_order_relaxed)) return {};
  const base::Address client = base::client_of(address);
  const std::scoped_lock lock(mutex_);
  if (is_exempt(address)) return {};
  const Index index = obtain(*harvesters_, client.mapped(), client);
  base::SlidingCount& count = harvesters_->pool[index].count;
  const bool is_one_too_many = is_reached(limits_.recipients_per_address, count.count(now, window));
  count.add(now, window);
  return {.changes = {{shut_if_full(*harvesters_, GateKind::recipients, index, limits_.recipients_per_address, now),
                       std::nullopt}},
          .is_one_too_many = is_one_too_many};
}

GateChanges GuessTable::rejected(const base::Address& address, engine::UserMark user, base::Time now) {
  return count(address, user, now, true);
}

GateChanges GuessTable::refused(const base::Address& address, engine::UserMark user, base::Time now) {
  return count(address, user, now, false);
}

GateChanges GuessTable::count(const base::Address& address, engine::UserMark user, base::Time now, bool is_judged) {
  const base::Address client = base::client_of(address);
  const auto key = key_of(client, user);
  const std::scoped_lock lock(mutex_);
  if (is_exempt(address)) return {};
  const Index pair = obtain(users_, key, client), whole = obtain(addresses_, client.mapped(), client);
  Gate &of_user = users_.pool[pair], &of_address = addresses_.pool[whole];
  if (is_judged || of_user.count.count(now, window) == 0) of_user.count.add(now, window);
  // Each user counts once for its address, and again when that was forgiven, or is too long ago to be counted still.
  if (of_address.epoch == 0) of_address.epoch = ++last_epoch_;
  if (of_user.epoch != of_address.epoch || now - of_user.counted > whole_count) {
    of_user.epoch = of_address.epoch;
    of_user.counted = now;
    of_address.count.add(now, window);
  }
  return {{shut_if_full(users_, GateKind::user, pair, limits_.failures_per_user, now),
           shut_if_full(addresses_, GateKind::address, whole, limits_.users_per_address, now)}};
}

std::optional<GateChange> GuessTable::shut_if_full(Gates& gates, GateKind kind, Index index, std::uint32_t limit,
                                                   base::Time now) {
  Gate& gate = gates.pool[index];
  if (gate.number != 0 || !is_reached(limit, gate.count.count(now, window))) return std::nullopt;
  unlink(gates, index);
  gate.number = ++last_number_;
  link(gates, index);
  return GateChange{.kind = kind, .is_shut = true, .number = gate.number, .address = gate.address};
}

GateChanges GuessTable::accepted(const base::Address& address, engine::UserMark user) {
  const base::Address client = base::client_of(address);
  const auto key = key_of(client, user);
  const std::scoped_lock lock(mutex_);
  const Index pair = users_.pool.find(key), whole = addresses_.pool.find(client.mapped());
  GateChanges changes;
  if (whole != Pool::none) {
    changes.all[1] = forgive(addresses_, GateKind::address, whole);
    addresses_.pool[whole].epoch = ++last_epoch_;
  }
  if (pair != Pool::none) changes.all[0] = forgive(users_, GateKind::user, pair);
  return changes;
}

std::optional<GateChange> GuessTable::forgive(Gates& gates, GateKind kind, Index index) {
  Gate& gate = gates.pool[index];
  gate.count = {};
  if (gate.number == 0) return std::nullopt;
  unlink(gates, index);
  const GateChange change{
      .kind = kind, .is_shut = false, .number = std::exchange(gate.number, 0), .address = gate.address};
  link(gates, index);
  return change;
}

// The list goes round: an entry that was looked at and is still shut comes last.
std::optional<GateChange> GuessTable::opened(Gates& gates, GateKind kind, std::uint32_t limit, base::Time now) {
  const std::uint32_t looks = std::min(gates.shut.size, most_looked_at);
  for (std::uint32_t i = 0; i < looks; ++i) {
    const Index index = gates.shut.oldest;
    Gate& gate = gates.pool[index];
    unlink(gates, index);
    const bool is_shut = is_reached(limit, gate.count.count(now, window));
    const std::uint64_t number = is_shut ? gate.number : std::exchange(gate.number, 0);
    link(gates, index);
    if (!is_shut) return GateChange{.kind = kind, .is_shut = false, .number = number, .address = gate.address};
  }
  return std::nullopt;
}

std::optional<GateChange> GuessTable::next_opened(base::Time now) {
  const std::scoped_lock lock(mutex_);
  if (auto change = opened(users_, GateKind::user, limits_.failures_per_user, now)) return change;
  if (auto change = opened(addresses_, GateKind::address, limits_.users_per_address, now)) return change;
  if (!harvesters_) return std::nullopt;
  return opened(*harvesters_, GateKind::recipients, limits_.recipients_per_address, now);
}

GuessTable::Index GuessTable::obtain(Gates& gates, const Pool::Key& key, const base::Address& address) {
  Index index = gates.pool.find(key);
  if (index != Pool::none) {
    unlink(gates, index);
  } else {
    if (gates.pool.size() == gates.pool.capacity()) {
      const Index oldest = gates.open.size != 0 ? gates.open.oldest : gates.shut.oldest;
      unlink(gates, oldest);
      gates.pool.erase(oldest);
    }
    index = gates.pool.insert(key);
    gates.pool[index].address = address;
  }
  link(gates, index);
  return index;
}

void GuessTable::link(Gates& gates, Index index) {
  Gate& gate = gates.pool[index];
  List& list = gate.number == 0 ? gates.open : gates.shut;
  gate.older = list.newest;
  gate.newer = Pool::none;
  (list.newest == Pool::none ? list.oldest : gates.pool[list.newest].newer) = index;
  list.newest = index;
  ++list.size;
}

void GuessTable::unlink(Gates& gates, Index index) {
  const Gate& gate = gates.pool[index];
  List& list = gate.number == 0 ? gates.open : gates.shut;
  (gate.older == Pool::none ? list.oldest : gates.pool[gate.older].newer) = gate.newer;
  (gate.newer == Pool::none ? list.newest : gates.pool[gate.newer].older) = gate.older;
  --list.size;
}

}  // namespace postern::limits
