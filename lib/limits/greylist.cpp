#include "limits/greylist.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

namespace postern::limits {
namespace {

using Record = GreylistContents::Record;
using std::chrono::seconds;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_of_a_word(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }

// Octets on their way into a hash, some at a time.
class Feed {
 public:
  explicit Feed(base::SipHash& hash) : hash_(hash) {}
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  ~Feed() { flush(); }
  void add(char c) {
    if (size_ == room_.size()) flush();
    room_[size_++] = c;
  }
  void add_lower(std::string_view text) {
    for (const char c : text) add(lower(c));
  }

 private:
  void flush() {
    hash_.add({room_.data(), size_});
    size_ = 0;
  }

  base::SipHash& hash_;
  std::array<char, 64> room_{};
  std::size_t size_ = 0;
};

// As postgrey: `list+alice=example.org@b.example` is `list@b.example`, `bounce-1234-7@b.example` is `bounce-#-#@b.example`.
void add_sender(Feed& feed, std::string_view sender) {
  const std::size_t at = sender.rfind('@');
  if (at == std::string_view::npos) return feed.add_lower(sender);
  const std::string_view local_part = sender.substr(0, std::min(at, sender.find('+')));
  for (std::size_t i = 0; i < local_part.size();) {
    std::size_t end = i;
    while (end < local_part.size() && is_digit(local_part[end])) ++end;
    const bool begins_a_word = i == 0 || !is_of_a_word(local_part[i - 1]);
    const bool is_a_word = end != i && begins_a_word && (end == local_part.size() || !is_of_a_word(local_part[end]));
    feed.add(is_a_word ? '#' : lower(local_part[i]));
    i = is_a_word ? end : i + 1;
  }
  feed.add_lower(sender.substr(at));
}

std::uint32_t age_of(base::Time time, base::Time now) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(std::chrono::floor<seconds>(now - time).count(), 0));
}

// An IPv6 site has a /48, and so 65,536 networks of its own.
base::Address greylist_site(const base::Address& client) {
  constexpr unsigned ipv6_site_bits = 48;  // RFC 6177 3
  return base::Network(client, client.is_ipv4() ? spec::ipv4_network_bits : ipv6_site_bits).first();
}

base::Address greylist_network(const base::Address& client) {
  return client.is_ipv4() ? base::Network(client, spec::ipv4_network_bits).first() : base::client_of(client);
}

std::string_view octets_of(const std::array<std::uint8_t, 16>& octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

}  // namespace

// ---- entries by age

Greylist::Index Greylist::Aged::find(const Key& key, std::uint32_t most_seconds, base::Time now) {
  const Index index = map_.find(key);
  if (index == Map::none || age_of(map_[index].time, now) <= most_seconds) return index;
  remove(index);
  return Map::none;
}

void Greylist::Aged::use(Index index, base::Time now) {
  unlink(all_, index, &Entry::of_all);
  map_[index].time = now;
  link(all_, index, &Entry::of_all);
}

Greylist::Index Greylist::Aged::add(const Key& key, base::Time now, std::uint32_t client) {
  if (map_.size() == map_.capacity()) remove(all_.oldest);
  const Index index = map_.insert(key);
  map_[index].time = now;
  map_[index].client = client;
  map_[index].is_there = true;
  link(all_, index, &Entry::of_all);
  if (client != no_client) link(clients_[client], index, &Entry::of_client);
  return index;
}

void Greylist::Aged::remove(Index index) {
  unlink(all_, index, &Entry::of_all);
  if (const std::uint32_t client = map_[index].client; client != no_client)
    unlink(clients_[client], index, &Entry::of_client);
  map_[index].is_there = false;
  map_.erase(index);
}

// As they lie in memory: by their age each would be a miss of the cache, and others wait for the lock.
void Greylist::Aged::copy(std::vector<Record>& into, std::uint32_t most_seconds, base::Time now) const {
  for (Index index = 0; index < map_.slots(); ++index) {
    const Entry& entry = map_[index];
    if (const std::uint32_t age = age_of(entry.time, now); entry.is_there && age <= most_seconds)
      into.push_back({.key = map_.key_of(index), .age_seconds = age, .count = entry.count});
  }
}

void Greylist::Aged::link(Line& line, Index index, Neighbours Entry::* neighbours) {
  map_[index].*neighbours = {.older = line.newest, .newer = Map::none};
  (line.newest == Map::none ? line.oldest : (map_[line.newest].*neighbours).newer) = index;
  line.newest = index;
  ++line.size;
}

void Greylist::Aged::unlink(Line& line, Index index, Neighbours Entry::* neighbours) {
  const auto [older, newer] = map_[index].*neighbours;
  (older == Map::none ? line.oldest : (map_[older].*neighbours).newer) = newer;
  (newer == Map::none ? line.newest : (map_[newer].*neighbours).older) = older;
  --line.size;
}

// ---- the whole

Greylist::Room::Room(const GreylistSizes& sizes, std::uint64_t seed)
    : waiting(sizes.triples, seed), known(sizes.triples, seed), networks(sizes.networks, seed) {
  waiting.count_clients();
}

Greylist::Greylist(const base::SipHash::Key& secret, const GreylistSizes& sizes)
    : secret_(secret),
      sizes_{.triples = std::max<std::uint32_t>(sizes.triples / part_count, 1),
             .networks = std::max<std::uint32_t>(sizes.networks / part_count, 1),
             .waiting_of_client = sizes.waiting_of_client} {}

Greylist::Greylist(const GreylistContents& contents, seconds elapsed, base::Time now, const GreylistSizes& sizes)
    : Greylist(contents.secret, sizes) {
  const auto take = [&](const std::vector<Record>& records, Aged Room::* member) {
    for (const Record& record : records) {
      Aged& aged = room_of(parts_[record.key[0] % part_count]).*member;
      const base::Time time = now - elapsed - seconds(record.age_seconds);
      if (aged.find(record.key, ~0U, now) == Map::none) aged[aged.add(record.key, time)].count = record.count;
    }
  };
  take(contents.records[0], &Room::waiting);
  take(contents.records[1], &Room::known);
  take(contents.records[2], &Room::networks);
}

// The part is that of the site, and stands in each key: a file has keys alone.
Greylist::Keys Greylist::keys_of(const GreylistTriple& triple) const {
  const auto in_part = [](Key key, std::size_t part) {
    key[0] = static_cast<std::uint8_t>(key[0] / part_count * part_count + part);
    return key;
  };
  const auto digest_of = [this](const base::Address& address) {
    base::SipHash hash(secret_);
    hash.add(octets_of(address.mapped()));
    return std::bit_cast<Key>(hash.digest());
  };
  const base::Address client = base::without_nat64(triple.client);
  const std::size_t part = digest_of(greylist_site(client))[0] % part_count;
  const Key of_client = digest_of(base::client_of(client));
  base::SipHash hash(secret_);
  hash.add(octets_of(greylist_network(client).mapped()));
  Keys keys{.part = part,
            .triple = {},
            .network = in_part(std::bit_cast<Key>(hash.digest()), part),
            .client = (of_client[1] * 256U + of_client[2]) % client_places};
  {
    Feed feed(hash);
    add_sender(feed, triple.sender);
    feed.add('\0');  // which is in no address
    feed.add_lower(triple.recipient);
  }
  keys.triple = in_part(std::bit_cast<Key>(hash.digest()), part);
  return keys;
}

// Under its lock.
Greylist::Room& Greylist::room_of(Part& part) const {
  if (part.room == nullptr) part.room = std::make_unique<Room>(sizes_, secret_[0]);
  return *part.room;
}

GreylistStanding Greylist::ask(const GreylistTriple& triple, seconds delay, base::Time now) {
  const Keys keys = keys_of(triple);
  Part& part = parts_[keys.part];
  const std::scoped_lock lock(part.mutex);
  auto& [waiting, known, networks] = room_of(part);
  const Index network = networks.find(keys.network, spec::greylist_known_seconds, now);
  if (network != Map::none && networks[network].count >= spec::greylist_good_triples) {
    networks.use(network, now);
    return GreylistStanding::known_network;
  }
  if (const Index index = known.find(keys.triple, spec::greylist_known_seconds, now); index != Map::none) {
    known.use(index, now);
    return GreylistStanding::known;
  }
  const Index index = waiting.find(keys.triple, spec::greylist_retry_seconds, now);
  if (index == Map::none) {
    wait_for(waiting, keys, delay, now);
    return GreylistStanding::first;
  }
  if (now - waiting[index].time < delay) return GreylistStanding::early;
  waiting.remove(index);
  known.add(keys.triple, now);
  count_for(networks, keys.network, now);
  return GreylistStanding::passed;
}

void Greylist::wait_for(Aged& waiting, const Keys& keys, seconds delay, base::Time now) const {
  constexpr seconds usual_retry{3600};  // RFC 5321 4.5.4.1: a first retry after half an hour
  const Line& others = waiting.line_of(keys.client);
  if (others.size >= sizes_.waiting_of_client) {
    if (now - waiting[others.oldest].time <= delay + usual_retry) return;
    waiting.remove(others.oldest);
  }
  waiting.add(keys.triple, now, keys.client);
}

void Greylist::count_for(Aged& networks, const Key& network, base::Time now) {
  Index index = networks.find(network, spec::greylist_known_seconds, now);
  if (index == Map::none)
    index = networks.add(network, now);
  else
    networks.use(index, now);
  ++networks[index].count;
}

// Room for all of it first: nothing allocates under a lock.
GreylistContents Greylist::contents(base::Time now) const {
  GreylistContents contents{.secret = secret_, .records = {}};
  const bool is_used = std::ranges::any_of(parts_, [](const Part& part) {
    const std::scoped_lock lock(part.mutex);
    return part.room != nullptr;
  });
  if (!is_used) return contents;
  auto& [waiting, known, networks] = contents.records;
  waiting.reserve(part_count * sizes_.triples);
  known.reserve(part_count * sizes_.triples);
  networks.reserve(part_count * sizes_.networks);
  for (const Part& part : parts_) {
    const std::scoped_lock lock(part.mutex);
    if (part.room == nullptr) continue;
    part.room->waiting.copy(waiting, spec::greylist_retry_seconds, now);
    part.room->known.copy(known, spec::greylist_known_seconds, now);
    part.room->networks.copy(networks, spec::greylist_known_seconds, now);
  }
  for (std::vector<Record>& records : contents.records)
    std::ranges::stable_sort(records, std::ranges::greater{}, &Record::age_seconds);
  return contents;
}

}  // namespace postern::limits
