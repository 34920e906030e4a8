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
    return one.rest == base::Interval{} || (now >= one.until && one.probe == 0);
  };
  const auto found = std::ranges::find_if(all_, is_worth_it);
  if (found == all_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all_.begin());
}

base::Time OutboundAddresses::next() const { return std::ranges::min(all_, {}, &Address::until).until; }

bool OutboundAddresses::is_worth_waiting(base::Time now) const {
  return last_failed_ != now && next() - now <= rest_.worth_waiting;
}

OutboundAddresses::Attempt OutboundAddresses::begun(std::size_t which) {
  Address& one = all_[which];
  if (one.rest == base::Interval{}) return {.which = which, .probe = 0};
  one.probe = ++probes_ == 0 ? ++probes_ : probes_;
  return {.which = which, .probe = one.probe};
}

void OutboundAddresses::connected(const Attempt& attempt) {
  all_[attempt.which].rest = {};
  all_[attempt.which].probe = 0;
}

void OutboundAddresses::failed(const Attempt& attempt, int error, base::Time now) {
  Address& one = all_[attempt.which];
  last_failed_ = now;
  last_failure_ = {.kind = base::StreamFailure::Kind::unreachable, .error = error, .address = one.address.text};
  const bool is_probe = attempt.probe != 0 && attempt.probe == one.probe;
  if (one.rest != base::Interval{} && !is_probe) return;  // several were begun before the first failed
  one.probe = 0;
  one.rest = std::clamp(one.rest * 2, rest_.first, rest_.longest);
  std::uniform_int_distribution<base::Interval::rep> half_or_more((one.rest / 2).count(), one.rest.count());
  one.until = now + base::Interval(half_or_more(chance_));
}

}  // namespace postern::loop
