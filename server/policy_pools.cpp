#include "server/policy_pools.hpp"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "ask/policy_request.hpp"
#include "spec/limits.hpp"

namespace postern::server {
namespace {

constexpr std::size_t most_idle = 8;

// Without chance the same one: nothing secret depends on it.
template <typename Number>
Number by_chance() {
  Number number = 1;
  static_cast<void>(!::getrandom(&number, sizeof number, 0));
  return number;
}

loop::OutboundSettings settings_for(const base::SocketAddress& service) {
  return {.addresses = {service},
          .connect_patience = std::chrono::seconds(spec::max_policy_connect_seconds),
          .max_in_flight = spec::max_policy_connections,
          .max_waiting = spec::max_policy_waiting,
          .max_idle = most_idle,
          .seed = by_chance<std::uint32_t>()};
}

}  // namespace

PolicyPools::PolicyPools(loop::Loop& loop)
    : loop_(loop), name_(ask::policy_session_name(by_chance<std::uint64_t>()) + '.') {}

PolicyPools::Pool& PolicyPools::of(const base::SocketAddress& service) {
  const auto known = std::ranges::find(pools_, service.text, &Named::address);
  if (known != pools_.end()) return *known->pool;
  auto pool = std::make_unique<Pool>(loop_, settings_for(service), [] {
    return std::make_unique<ask::PolicyConversation>(std::chrono::seconds(spec::max_policy_seconds));
  });
  return *pools_.emplace_back(service.text, std::move(pool)).pool;
}

std::string PolicyPools::name_of(std::uint64_t session) const { return name_ + std::to_string(session); }

}  // namespace postern::server
