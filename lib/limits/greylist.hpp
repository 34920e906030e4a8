// Which triples of network, sender and recipient have come before, and came again: the greylist of RFC 6647.
// in      triples that strangers choose, the delay that their class has, and the time as an argument; a secret key
// out     a GreylistStanding for each question: `first` and `early` are to be deferred, and no other
// triple  an IPv4 client is its /24, an IPv6 client its /64, a mapped one or one behind NAT64 IPv4: large senders try again from
//         another host. Addresses count
//         in any case of letters; of a sender what follows `+`, and numbers that stand alone, do not count: lists change them
//         with each message (VERP)
// known   a triple that comes again between the delay and greylist_retry_seconds is known for greylist_known_seconds after its
//         last mail. A network of which greylist_good_triples came again is known as a whole, for as long
// memory  none until somebody is asked about; then fixed: about 75 octets for each of max_greylist_triples that wait, as many
//         that are known, and max_greylist_networks. What was used last longest ago is forgotten for a new one; those that wait
//         never take the place of those that are known, and one IPv4 network, or one IPv6 site (/48), takes the places of a sixteenth alone
// client  one address, or /64, has waiting_of_client triples that wait. One more is not kept, and so deferred again when it comes
//         again, unless the oldest of them should have come long ago: then that one gives way. So those that came first are known when
//         they come again, and a client that brings ever new ones pushes out nobody else's. What a file brings counts for no client
// shared  by all loops: sixteen parts by network or site, each with a mutex that is held for a few operations, and by contents() while it
//         copies a part from front to back
// errors  std::bad_alloc, from the first ask() of a part alone
// source  RFC 6647 2.4, 5, 7; postgrey(8); docs/decisions/0020-greylist.md
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/fixed_hash_map.hpp"
#include "base/network.hpp"
#include "base/sip_hash.hpp"
#include "spec/limits.hpp"

namespace postern::limits {

struct GreylistTriple {
  base::Address client;
  std::string_view sender, recipient;  // as they are kept; the null sender is empty
};

enum class GreylistStanding : std::uint8_t {
  first,          // was not here, or too long ago
  early,          // again before the delay is over
  passed,         // again in time: known from now on
  known,          // the triple is
  known_network,  // the whole network is
};
[[nodiscard]] constexpr bool is_deferred(GreylistStanding standing) { return standing <= GreylistStanding::early; }

struct GreylistSizes {
  std::uint32_t triples = spec::max_greylist_triples;
  std::uint32_t networks = spec::max_greylist_networks;
  std::uint32_t waiting_of_client = spec::max_greylist_triples / 256;  // a sixteenth of a part
};

// All that a greylist knows, for a file.
struct GreylistContents {
  struct Record {
    std::array<std::uint8_t, 16> key;
    std::uint32_t age_seconds;  // since it came first, of one that waits; else since its last mail
    std::uint32_t count;        // of a network: triples of it that came again
    friend bool operator==(const Record&, const Record&) = default;
  };
  base::SipHash::Key secret;
  std::array<std::vector<Record>, 3> records;  // waiting, known, networks; the oldest first

  [[nodiscard]] bool is_empty() const { return records[0].empty() && records[1].empty() && records[2].empty(); }
};

class Greylist {
 public:
  explicit Greylist(const base::SipHash::Key& secret, const GreylistSizes& sizes = {});
  // With what another one knew `elapsed` ago; more of it than there is room for goes, the oldest first.
  Greylist(const GreylistContents& contents, std::chrono::seconds elapsed, base::Time now,
           const GreylistSizes& sizes = {});

  [[nodiscard]] GreylistStanding ask(const GreylistTriple& triple, std::chrono::seconds delay, base::Time now);

  [[nodiscard]] GreylistContents contents(base::Time now) const;

 private:
  static constexpr std::size_t part_count = 16;

  static constexpr std::uint32_t client_places = 4096;  // of a part: clients that share one share its bound
  static constexpr std::uint32_t no_client = ~0U;

  struct Neighbours {
    std::uint32_t older = 0, newer = 0;
  };
  struct Entry {
    base::Time time{};
    std::uint32_t count = 0;
    std::uint32_t client = no_client;  // the place of who brought it
    Neighbours of_all{}, of_client{};
    bool is_there = false;
  };
  using Map = base::FixedHashMap<Entry>;
  using Key = Map::Key;
  using Index = Map::Index;

  // Entries by when they were used last.
  struct Line {
    Index oldest = Map::none, newest = Map::none;
    std::uint32_t size = 0;
  };
  class Aged {
   public:
    Aged(std::uint32_t capacity, std::uint64_t seed) : map_(capacity, seed) {}
    // None: it is not there, or older than that; then it goes.
    [[nodiscard]] Index find(const Key& key, std::uint32_t most_seconds, base::Time now);
    [[nodiscard]] Entry& operator[](Index index) { return map_[index]; }
    void use(Index index, base::Time now);
    // One that is not there.
    Index add(const Key& key, base::Time now, std::uint32_t client = no_client);
    // Those of one client; none before its first.
    [[nodiscard]] const Line& line_of(std::uint32_t client) const { return clients_[client]; }
    void count_clients() { clients_.resize(client_places); }
    void remove(Index index);
    void copy(std::vector<GreylistContents::Record>& into, std::uint32_t most_seconds, base::Time now) const;

   private:
    void link(Line& line, Index index, Neighbours Entry::* neighbours);
    void unlink(Line& line, Index index, Neighbours Entry::* neighbours);

    Map map_;
    Line all_;
    std::vector<Line> clients_;  // empty: nobody counts them
  };
  struct Room {
    Aged waiting, known, networks;
    Room(const GreylistSizes& sizes, std::uint64_t seed);
  };
  struct alignas(64) Part {
    mutable std::mutex mutex;
    std::unique_ptr<Room> room;  // null: nobody was asked about
  };
  struct Keys {
    std::size_t part;
    Key triple, network;
    std::uint32_t client;
  };

  [[nodiscard]] Keys keys_of(const GreylistTriple& triple) const;
  [[nodiscard]] Room& room_of(Part& part) const;
  void wait_for(Aged& waiting, const Keys& keys, std::chrono::seconds delay, base::Time now) const;
  static void count_for(Aged& networks, const Key& network, base::Time now);

  base::SipHash::Key secret_;
  GreylistSizes sizes_;  // of a part
  std::array<Part, part_count> parts_;
};

}  // namespace postern::limits
