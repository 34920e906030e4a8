// Which logins and recipients are refused unasked, because too many of the same kind have failed: the gates of deviation D22.
// in      refused credentials, by address and user, unknown recipients, by address, and the time as an argument; a secret
//         key: clients choose all of them
// out     whether a gate is shut; each GateChange once, for the log and the metrics
// gates   the first is (address, user): shut by failures of that user, open for all other users there. The second is an
//         address: shut by the number of its distinct users with failures. A good login opens both of its own. The third
//         is an address, too: shut by its unknown recipients, and opened by time alone
// counts  an IPv6 /64 is one address (network.hpp: client_of). A user is known by a mark alone (engine/sasl.hpp)
// memory  fixed when it is built: about 120 octets for each of `capacity` gates of each kind. The gate that was used last
//         longest ago is forgotten for a new one, and one that is shut only when all are. Gates of the third kind have
//         memory once there is a limit for them; that and whether they are looked at costs nothing without
// shared  by all threads: one mutex, held for less than a microsecond; next_opened() looks at 256 gates at most
// source  spec/limits.hpp; deviations D7, D22
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/fixed_hash_map.hpp"
#include "base/network.hpp"
#include "base/sip_hash.hpp"
#include "base/sliding_count.hpp"
#include "engine/sasl.hpp"
#include "spec/limits.hpp"

namespace postern::limits {

enum class GateKind : std::uint8_t { user, address, recipients };

struct GateChange {
  GateKind kind;
  bool is_shut;
  std::uint64_t number;   // the same when it shuts and when it opens
  base::Address address;  // as the client table counts it
};

// What one login or recipient has changed: nothing, one gate, or both.
struct GateChanges {
  std::array<std::optional<GateChange>, 2> all;
};

struct UnknownRecipient {
  GateChanges changes;
  bool
      is_one_too_many;  // the gate was shut before it: sessions that asked at the same time learn no more than one would
};

// 0: that gate never shuts.
struct GuessLimits {
  std::uint32_t failures_per_user = spec::max_failed_auth_per_user;
  std::uint32_t users_per_address = spec::max_failed_users_per_address;
  std::uint32_t recipients_per_address = spec::max_unknown_recipients_per_address;
};

class GuessTable {
 public:
  // Clients in an exempt network are never refused, and not counted.
  GuessTable(const GuessLimits& limits, std::vector<base::Network> exempt, const base::SipHash::Key& secret,
             std::uint32_t capacity = spec::max_remembered_gates);

  [[nodiscard]] bool is_shut(const base::Address& address, base::Time now) const;
  [[nodiscard]] bool is_shut(const base::Address& address, engine::UserMark user, base::Time now) const;

  // Whether that address has named too many unknown recipients.
  [[nodiscard]] bool is_harvesting(const base::Address& address, base::Time now) const;

  [[nodiscard]] UnknownRecipient unknown_recipient(const base::Address& address, base::Time now);
  // The backend said no.
  [[nodiscard]] GateChanges rejected(const base::Address& address, engine::UserMark user, base::Time now);
  // An AUTH with a response was refused unjudged: that counts once for each user.
  [[nodiscard]] GateChanges refused(const base::Address& address, engine::UserMark user, base::Time now);
  [[nodiscard]] GateChanges accepted(const base::Address& address, engine::UserMark user);
  // One that time has opened, until there is none: to be asked once a second or so.
  [[nodiscard]] std::optional<GateChange> next_opened(base::Time now);

  // From now on.
  void set(const GuessLimits& limits, std::vector<base::Network> exempt);

  struct Figures {
    std::uint32_t users, addresses, shut_users, shut_addresses, harvesters = 0;
  };
  [[nodiscard]] Figures figures() const;

 private:
  struct Gate {
    base::SlidingCount count;  // failures of a user; distinct users of an address
    base::Time counted{};      // of a user: when it was counted for its address
    std::uint64_t epoch = 0;   // of an address: changes when it is forgiven. Of a user: the one in which it was counted
    std::uint64_t number = 0;  // 0: open
    std::uint32_t older = 0, newer = 0;
    base::Address address{};
  };
  using Pool = base::FixedHashMap<Gate>;
  using Index = Pool::Index;

  struct List {
    Index oldest = Pool::none, newest = Pool::none;
    std::uint32_t size = 0;
  };
  // All gates of one kind; each is in one of the lists.
  struct Gates {
    Pool pool;
    List open, shut;
  };

  [[nodiscard]] GateChanges count(const base::Address& address, engine::UserMark user, base::Time now, bool is_judged);
  [[nodiscard]] std::optional<GateChange> shut_if_full(Gates& gates, GateKind kind, Index index, std::uint32_t limit,
                                                       base::Time now);
  [[nodiscard]] std::optional<GateChange> forgive(Gates& gates, GateKind kind, Index index);
  [[nodiscard]] std::optional<GateChange> opened(Gates& gates, GateKind kind, std::uint32_t limit, base::Time now);
  [[nodiscard]] Index obtain(Gates& gates, const Pool::Key& key, const base::Address& address);
  void make_room_for_harvesters();
  [[nodiscard]] bool is_exempt(const base::Address& address) const;
  [[nodiscard]] Pool::Key key_of(const base::Address& client, engine::UserMark user) const;
  static void link(Gates& gates, Index index);
  static void unlink(Gates& gates, Index index);

  mutable std::mutex mutex_;
  GuessLimits limits_;
  std::vector<base::Network> exempt_;
  base::SipHash::Key secret_;
  std::uint32_t capacity_;
  std::uint64_t last_number_ = 0, last_epoch_ = 0;
  Gates users_, addresses_;
  std::optional<Gates> harvesters_;
  std::atomic<bool> has_harvesters_ = false;  // there are, and a limit for them
};

}  // namespace postern::limits
