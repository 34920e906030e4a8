#include "limits/client_table.hpp"

#include <algorithm>
#include <utility>

namespace postern::limits {
namespace {

constexpr std::chrono::seconds rate_window{spec::connection_rate_seconds};

std::uint32_t capacity_for(const ClientLimits& limits) {
  constexpr std::uint32_t usual = 65536, most = 1U << 24U;
  return std::clamp(2 * std::min(limits.sessions, most), usual, most);
}

bool is_reached(std::uint32_t limit, std::uint32_t count) { return limit != 0 && count >= limit; }

base::Address network_key(const base::Address& address) { return base::network_of(address).first(); }

}  // namespace

ClientTable::ClientTable(const ClientLimits& limits, std::vector<base::Network> exempt, std::uint64_t seed)
    : ClientTable(limits, std::move(exempt), seed, capacity_for(limits)) {}

ClientTable::ClientTable(const ClientLimits& limits, std::vector<base::Network> exempt, std::uint64_t seed,
                         std::uint32_t capacity)
    : limits_(limits), exempt_(std::move(exempt)), clients_(capacity, seed), networks_(capacity, seed) {}

void ClientTable::set(const ClientLimits& limits, std::vector<base::Network> exempt) {
  const std::scoped_lock lock(mutex_);
  limits_ = limits;
  exempt_.swap(exempt);
}

ClientTable::Figures ClientTable::figures() const {
  const std::scoped_lock lock(mutex_);
  return {sessions_, clients_.size(), networks_.size()};
}

bool ClientTable::is_exempt(const base::Address& address) const {
  return std::ranges::any_of(exempt_, [&](const base::Network& network) { return network.contains(address); });
}

Admission ClientTable::judge(const base::Address& address, Index client, Index network, base::Time now) const {
  if (is_reached(limits_.sessions, sessions_) || sessions_ == clients_.capacity()) return Admission::total;
  if (is_exempt(address)) return Admission::ok;
  const Client unknown;
  const Client& known = client == clients_.none ? unknown : clients_[client];
  const std::uint32_t alike = network == networks_.none ? 0 : networks_[network].sessions;
  Admission first = Admission::ok;
  const auto note = [&first](bool holds, Admission answer) { first = holds ? std::min(first, answer) : first; };
  note(is_reached(limits_.sessions_per_client, known.sessions) || is_reached(limits_.sessions_per_network, alike),
       Admission::client_busy);
  note(is_reached(limits_.connections_per_minute, known.connections.count(now, rate_window)),
       Admission::client_too_fast);
  return first;
}

Admission ClientTable::admit(const base::Address& address, base::Time now, Standing standing) {
  const auto key = base::client_of(address).mapped(), its_network = network_key(address).mapped();
  const std::scoped_lock lock(mutex_);
  Index client = clients_.find(key), network = networks_.find(its_network);
  Admission admission = judge(address, client, network, now);
  if (standing == Standing::guesses) admission = std::min(admission, Admission::client_guesses);
  if (admission != Admission::ok) return admission;
  if (client == clients_.none) {
    client = make_client(key);
  } else if (clients_[client].sessions == 0) {
    end_idling(client);
  }
  // There are as many places as clients, and fewer sessions than those.
  if (network == networks_.none) network = networks_.insert(its_network);
  ++sessions_;
  ++networks_[network].sessions;
  Client& admitted = clients_[client];
  ++admitted.sessions;
  admitted.connections.add(now, rate_window);
  return Admission::ok;
}

void ClientTable::leave(const base::Address& address) {
  const auto key = base::client_of(address).mapped(), its_network = network_key(address).mapped();
  const std::scoped_lock lock(mutex_);
  const Index client = clients_.find(key), network = networks_.find(its_network);
  if (client == clients_.none || network == networks_.none || clients_[client].sessions == 0) return;  // never admitted
  --sessions_;
  if (--networks_[network].sessions == 0) networks_.erase(network);
  if (--clients_[client].sessions == 0) begin_idling(client);
}

ClientTable::Index ClientTable::make_client(const Clients::Key& key) {
  if (clients_.size() == clients_.capacity()) forget_oldest();
  return clients_.insert(key);
}

void ClientTable::begin_idling(Index index) {
  Client& client = clients_[index];
  client.older = idle_.newest;
  client.newer = clients_.none;
  (idle_.newest == clients_.none ? idle_.oldest : clients_[idle_.newest].newer) = index;
  idle_.newest = index;
  ++idle_.size;
}

void ClientTable::end_idling(Index index) {
  const Client& client = clients_[index];
  (client.older == clients_.none ? idle_.oldest : clients_[client.older].newer) = client.newer;
  (client.newer == clients_.none ? idle_.newest : clients_[client.newer].older) = client.older;
  --idle_.size;
}

void ClientTable::forget_oldest() {
  if (idle_.size == 0) return;
  const Index index = idle_.oldest;
  end_idling(index);
  clients_.erase(index);
}

}  // namespace postern::limits
