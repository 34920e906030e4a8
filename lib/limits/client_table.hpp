// Which client may have one more session: open sessions and new connections, by address and network.
// in      addresses, and the time as an argument; a secret seed, because clients choose their addresses
// out     an Admission for each new connection; each `ok` is to be followed by one `leave` of the same address
// memory  fixed when it is built: about 150 octets for each of `capacity` clients (65,536, or twice the greatest number of
//         sessions). The client that was seen last longest ago is forgotten for a new one: never one with a session open
// counts  an IPv6 /64 is one client: its owner may have any address in it (network.hpp: client_of)
// shared  by all threads: one mutex, held for less than a microsecond; each call is O(1) except for the exempt networks,
//         which are searched one by one
// source  spec/limits.hpp; deviation D22
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/fixed_hash_map.hpp"
#include "base/network.hpp"
#include "base/sliding_count.hpp"
#include "spec/limits.hpp"
#include "spec/policy_names.hpp"

namespace postern::limits {

// 0 is no limit, but that there are never more sessions than the table holds clients.
struct ClientLimits {
  std::uint32_t sessions = spec::max_sessions;
  std::uint32_t sessions_per_client = spec::max_sessions_per_address;
  std::uint32_t sessions_per_network = spec::max_sessions_per_network;
  std::uint32_t connections_per_minute = spec::max_connections_per_address;
};

constexpr std::uint8_t place_of(spec::Event event) { return static_cast<std::uint8_t>(event); }

// Each is an event of spec/events.toml, and of those that hold the one that stands first there is the answer.
enum class Admission : std::uint8_t {
  total = place_of(spec::Event::connect_busy),                     // as many sessions as there may be
  client_guesses = place_of(spec::Event::connect_client_guesses),  // the caller says so (guess_table.hpp)
  client_busy = place_of(spec::Event::connect_client_busy),  // has as many sessions as it may have, or its network has
  // Was admitted too often in the last minute; refused connections do not count.
  client_too_fast = place_of(spec::Event::connect_client_too_fast),
  ok = place_of(spec::Event::connect_ready),
};
[[nodiscard]] constexpr spec::Event event_of(Admission admission) { return static_cast<spec::Event>(admission); }

class ClientTable {
 public:
  // Clients in an exempt network are counted, but only `total` refuses them.
  ClientTable(const ClientLimits& limits, std::vector<base::Network> exempt, std::uint64_t seed);
  ClientTable(const ClientLimits& limits, std::vector<base::Network> exempt, std::uint64_t seed,
              std::uint32_t capacity);

  enum class Standing : std::uint8_t { clean, guesses };
  [[nodiscard]] Admission admit(const base::Address& address, base::Time now, Standing standing = Standing::clean);
  void leave(const base::Address& address);

  // From now on. Sessions that are open stay.
  void set(const ClientLimits& limits, std::vector<base::Network> exempt);

  struct Figures {
    std::uint32_t sessions, clients, networks;  // open sessions; clients remembered; networks with a session
  };
  [[nodiscard]] Figures figures() const;

 private:
  struct Client {
    base::SlidingCount connections;
    std::uint32_t sessions = 0;
    std::uint32_t older = 0, newer = 0;  // neighbours among those without a session
  };
  struct Open {
    std::uint32_t sessions = 0;
  };
  using Clients = base::FixedHashMap<Client>;
  using Index = Clients::Index;

  // Clients without a session, by when they were last seen.
  struct Idle {
    Index oldest = Clients::none, newest = Clients::none;
    std::uint32_t size = 0;
  };

  [[nodiscard]] Admission judge(const base::Address& address, Index client, Index network, base::Time now) const;
  [[nodiscard]] bool is_exempt(const base::Address& address) const;
  [[nodiscard]] Index make_client(const Clients::Key& key);
  void begin_idling(Index index);
  void end_idling(Index index);
  void forget_oldest();

  mutable std::mutex mutex_;
  ClientLimits limits_;
  std::vector<base::Network> exempt_;
  std::uint32_t sessions_ = 0;
  Clients clients_;
  base::FixedHashMap<Open> networks_;
  Idle idle_;
};

}  // namespace postern::limits
