#include "loop/outbound_addresses.hpp"

#include <algorithm>
#include <utility>

namespace postern::loop {

OutboundAddresses::OutboundAddresses(std::vector<base::SocketAddress> addresses, const Rest& rest, std::uint32_t seed)
    : rest_(rest), chance_(seed) {
  for (base::SocketAddress& address : addresses) all_.push_back({.address = std::move(address)});
}

std::optional<std::size_t> OutboundAddresses::pick(base::Time now) const {
  const auto is_worth_it = [now](const Address& one) {
    return one.rest == base::Interval{} || (now >= one.until && !one.is_probed);
  };
  const auto found = std::ranges::find_if(all_, is_worth_it);
  if (found == all_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all_.begin());
}

base::Time OutboundAddresses::next() const { return std::ranges::min(all_, {}, &Address::until).until; }

bool OutboundAddresses::is_worth_waiting(base::Time now) const {
  return last_failed_ != now && next() - now <= rest_.worth_waiting;
}

void OutboundAddresses::begun(std::size_t which) { all_[which].is_probed = all_[which].rest != base::Interval{}; }

void OutboundAddresses::connected(std::size_t which) {
  all_[which].rest = {};
  all_[which].is_probed = false;
}

void OutboundAddresses::failed(std::size_t which, int error, base::Time now) {
  Address& one = all_[which];
  last_failed_ = now;
  last_failure_ = {.kind = base::StreamFailure::Kind::unreachable, .error = error, .address = one.address.text};
  const bool is_known = one.rest != base::Interval{} && !one.is_probed;  // several were begun before the first failed
  one.is_probed = false;
  if (is_known) return;
  one.rest = std::clamp(one.rest * 2, rest_.first, rest_.longest);
  std::uniform_int_distribution<base::Interval::rep> half_or_more((one.rest / 2).count(), one.rest.count());
  one.until = now + base::Interval(half_or_more(chance_));
}

}  // namespace postern::loop
