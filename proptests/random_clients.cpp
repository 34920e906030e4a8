// The listener's tables against models that are slow and obvious: networks bit by bit, clients by a list of all that ever
// happened.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "listener/client_table.hpp"

namespace {

using namespace postern::listener;
using namespace std::chrono_literals;
using Octets = std::array<std::uint8_t, 16>;

// Few octets, so that addresses often begin alike; every fourth is IPv4, mapped or not.
rc::Gen<Address> addresses() {
  return rc::gen::map(rc::gen::pair(rc::gen::container<Octets>(rc::gen::element<std::uint8_t>(0, 1, 0x7F, 0x80, 0xFF)),
                                    rc::gen::inRange(0, 4)),
                      [](const std::pair<Octets, int>& drawn) {
                        const Octets& octets = drawn.first;
                        return drawn.second == 0 ? Address::of_ipv4(std::span(octets).first<4>())
                                                 : Address::of_ipv6(octets);
                      });
}

std::string bits_of(const Address& address) {
  std::string bits;
  for (const std::uint8_t octet : address.octets())
    for (unsigned mask = 0x80; mask != 0; mask >>= 1U) bits += (octet & mask) != 0 ? '1' : '0';
  return bits;
}

RC_GTEST_PROP(RandomNetworks, hold_what_begins_with_the_same_bits, ()) {
  const Address inside = *addresses(), other = *addresses();
  const auto bits = *rc::gen::inRange<unsigned>(0, inside.bits() + 1);
  const Network network(inside, bits);
  const bool begins_alike =
      inside.is_ipv4() == other.is_ipv4() && bits_of(inside).substr(0, bits) == bits_of(other).substr(0, bits);
  RC_ASSERT(network.contains(other) == begins_alike);
  RC_ASSERT(network.contains(inside));
  RC_ASSERT(bits_of(network.first()) == bits_of(inside).substr(0, bits) + std::string(inside.bits() - bits, '0'));
}

RC_GTEST_PROP(RandomNetworks, what_is_written_is_read, ()) {
  const Address address = *addresses();
  RC_ASSERT(parse_address(write(address).view()) == address);
  const Network network(address, *rc::gen::inRange<unsigned>(0, address.bits() + 1));
  const auto again = parse_network(write(network).view());
  RC_ASSERT(again && *again == network);
}

RC_GTEST_PROP(RandomNetworks, bits_behind_the_first_are_refused, ()) {
  const Address address = *addresses();
  const auto bits = *rc::gen::inRange<unsigned>(0, address.bits() + 1);
  const auto parsed = parse_network(std::string(write(address).view()) + "/" + std::to_string(bits));
  RC_ASSERT(parsed.has_value() == (bits_of(address).find('1', bits) == std::string::npos));
}

struct Deed {
  enum class What : std::uint8_t { admit, leave, fail } what;
  unsigned who;
  std::chrono::seconds later;
};
rc::Gen<std::vector<Deed>> deeds(unsigned clients) {
  using What = Deed::What;
  return rc::gen::container<std::vector<Deed>>(
      rc::gen::construct<Deed>(rc::gen::weightedElement<What>({{4, What::admit}, {2, What::leave}, {1, What::fail}}),
                               rc::gen::inRange(0U, clients),
                               rc::gen::weightedOneOf<std::chrono::seconds>(
                                   {{6, rc::gen::map(rc::gen::inRange(0, 20), [](int n) { return 1s * n; })},
                                    {1, rc::gen::map(rc::gen::inRange(0, 4000), [](int n) { return 1s * n; })}})));
}

rc::Gen<ClientLimits> limits() {
  const auto limit = [](std::uint32_t most) { return rc::gen::inRange<std::uint32_t>(0, most + 1); };
  return rc::gen::construct<ClientLimits>(limit(12), limit(4), limit(6), limit(4), limit(3));
}

// Two networks of IPv4, in which each address is a client, and two of IPv6, which are a client each.
Address address_of(unsigned who) {
  const std::array<const char*, 4> begins{"192.0.2.", "192.0.3.", "2001:db8::", "2001:db8:0:1::"};
  return parse_address(begins[who % 4] + std::to_string(who / 4)).value();
}

// All that ever happened.
class Model {
 public:
  explicit Model(const ClientLimits& limits) : limits_(limits) {}

  // Whether the table may say so.
  [[nodiscard]] bool allows(Admission said, unsigned who, Time now) const {
    const Address client = client_of(address_of(who));
    if (reached(limits_.sessions, open_.size())) return said == Admission::total;
    // What is certain, and what may be so: a count reaches a twelfth of its window farther back than it must.
    const std::size_t failures = since(failures_, client, now - 60min),
                      more_failures = since(failures_, client, now - 65min);
    const std::size_t entries = since(entries_, client, now - 60s), more_entries = since(entries_, client, now - 65s);
    if (reached(limits_.failed_auths_per_hour, failures)) return said == Admission::client_guesses;
    if (said == Admission::client_guesses) return reached(limits_.failed_auths_per_hour, more_failures);
    if (is_busy(who)) return said == Admission::client_busy;
    if (reached(limits_.connections_per_minute, entries)) return said == Admission::client_too_fast;
    if (said == Admission::client_too_fast) return reached(limits_.connections_per_minute, more_entries);
    return said == Admission::ok;
  }
  [[nodiscard]] bool is_busy(unsigned who) const {
    const Address client = client_of(address_of(who));
    const Network network = network_of(address_of(who));
    const auto own = std::ranges::count(open_, client, [](unsigned each) { return client_of(address_of(each)); });
    const auto alike = std::ranges::count_if(open_, [&](unsigned each) { return network.contains(address_of(each)); });
    return reached(limits_.sessions_per_client, static_cast<std::size_t>(own)) ||
           reached(limits_.sessions_per_network, static_cast<std::size_t>(alike));
  }
  void admitted(unsigned who, Time now) {
    open_.push_back(who);
    entries_[client_of(address_of(who))].push_back(now);
  }
  void failed(unsigned who, Time now) { failures_[client_of(address_of(who))].push_back(now); }
  // Whether one was open.
  bool left(unsigned who) {
    const auto found = std::ranges::find(open_, who);
    if (found == open_.end()) return false;
    open_.erase(found);
    return true;
  }
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  using Happenings = std::map<Address, std::vector<Time>>;

  static bool reached(std::uint32_t limit, std::size_t count) { return limit != 0 && count >= limit; }
  static std::size_t since(const Happenings& all, const Address& client, Time after) {
    const auto found = all.find(client);
    if (found == all.end()) return 0;
    return static_cast<std::size_t>(std::ranges::count_if(found->second, [&](Time each) { return each > after; }));
  }

  ClientLimits limits_;
  std::vector<unsigned> open_;
  Happenings entries_, failures_;
};

RC_GTEST_PROP(RandomClients, are_admitted_as_a_list_of_all_that_happened_says, ()) {
  const ClientLimits drawn = *limits();
  ClientTable table(drawn, {}, *rc::gen::arbitrary<std::uint64_t>());
  Model model(drawn);
  Time now{1000h};
  for (const Deed& deed : *deeds(10)) {
    now += deed.later;
    const Address from = address_of(deed.who);
    if (deed.what == Deed::What::fail) {
      model.failed(deed.who, now);
      table.auth_failed(from, now);
    } else if (deed.what == Deed::What::admit) {
      const Admission said = table.admit(from, now);
      RC_ASSERT(model.allows(said, deed.who, now));
      if (said == Admission::ok) model.admitted(deed.who, now);
    } else if (model.left(deed.who)) {
      table.leave(from);
    }
    RC_ASSERT(table.figures().sessions == model.open());
  }
}

RC_GTEST_PROP(RandomClients, who_has_a_session_is_never_forgotten, ()) {
  ClientLimits drawn = *limits();
  drawn.connections_per_minute = drawn.failed_auths_per_hour = 0;
  const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 6);
  drawn.sessions = drawn.sessions == 0 ? capacity : std::min(drawn.sessions, capacity);
  ClientTable table(drawn, {}, *rc::gen::arbitrary<std::uint64_t>(), capacity);
  Model model(drawn);
  const Time now{1000h};
  for (const Deed& deed : *deeds(40)) {
    const Address from = address_of(deed.who);
    if (deed.what == Deed::What::fail) {
      table.auth_failed(from, now);
    } else if (deed.what == Deed::What::admit) {
      const Admission said = table.admit(from, now);
      RC_ASSERT(model.allows(said, deed.who, now));
      if (said == Admission::ok) model.admitted(deed.who, now);
    } else if (model.left(deed.who)) {
      table.leave(from);
    }
    RC_ASSERT(table.figures().clients <= capacity);
    RC_ASSERT(table.figures().sessions == model.open());
  }
}

}  // namespace
