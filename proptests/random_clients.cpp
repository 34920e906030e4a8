// The listener's tables against models that are slow and obvious: networks bit by bit, clients by a list of all that ever
// happened.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "limits/client_table.hpp"
#include "limits/guess_table.hpp"
#include "loop/timer_wheel.hpp"

namespace {
using namespace postern::base;
using namespace postern::limits;
using namespace postern::loop;
namespace engine = postern::engine;
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
  enum class What : std::uint8_t { admit, leave } what;
  unsigned who;
  std::chrono::seconds later;
};
rc::Gen<std::vector<Deed>> deeds(unsigned clients) {
  using What = Deed::What;
  return rc::gen::container<std::vector<Deed>>(rc::gen::construct<Deed>(
      rc::gen::weightedElement<What>({{4, What::admit}, {2, What::leave}}), rc::gen::inRange(0U, clients),
      rc::gen::weightedOneOf<std::chrono::seconds>(
          {{6, rc::gen::map(rc::gen::inRange(0, 20), [](int n) { return 1s * n; })},
           {1, rc::gen::map(rc::gen::inRange(0, 4000), [](int n) { return 1s * n; })}})));
}

rc::Gen<ClientLimits> limits() {
  const auto limit = [](std::uint32_t most) { return rc::gen::inRange<std::uint32_t>(0, most + 1); };
  return rc::gen::construct<ClientLimits>(limit(12), limit(4), limit(6), limit(4));
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
    const std::size_t entries = since(entries_, client, now - 60s), more_entries = since(entries_, client, now - 65s);
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
  Happenings entries_;
};

RC_GTEST_PROP(RandomClients, are_admitted_as_a_list_of_all_that_happened_says, ()) {
  const ClientLimits drawn = *limits();
  ClientTable table(drawn, {}, *rc::gen::arbitrary<std::uint64_t>());
  Model model(drawn);
  Time now{1000h};
  for (const Deed& deed : *deeds(10)) {
    now += deed.later;
    const Address from = address_of(deed.who);
    if (deed.what == Deed::What::admit) {
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
  drawn.connections_per_minute = 0;
  const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 6);
  drawn.sessions = drawn.sessions == 0 ? capacity : std::min(drawn.sessions, capacity);
  ClientTable table(drawn, {}, *rc::gen::arbitrary<std::uint64_t>(), capacity);
  Model model(drawn);
  const Time now{1000h};
  for (const Deed& deed : *deeds(40)) {
    const Address from = address_of(deed.who);
    if (deed.what == Deed::What::admit) {
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

struct Login {
  enum class What : std::uint8_t { rejected, refused, accepted } what;
  unsigned who;
  engine::UserMark user;
  std::chrono::seconds later;
};
rc::Gen<std::vector<Login>> logins() {
  using What = Login::What;
  return rc::gen::container<std::vector<Login>>(rc::gen::construct<Login>(
      rc::gen::weightedElement<What>({{6, What::rejected}, {3, What::refused}, {1, What::accepted}}),
      rc::gen::inRange(0U, 4U), rc::gen::inRange<engine::UserMark>(1, 5),
      rc::gen::map(rc::gen::inRange(0, 900), [](int n) { return 1s * n; })));
}

// All failures that no good login has forgiven, by address and user: those that count for certain, and those that may. A
// refusal counts where nothing is counted yet, and what is between 60 and 65 minutes old may be counted still.
class GuessModel {
 public:
  void happened(const Login& login, const Address& client, Time now) {
    Failures& of_user = failures_[client][login.user];
    const bool is_rejected = login.what == Login::What::rejected;
    const bool counts = is_rejected || within(of_user.possible, now, 65min) == 0;
    const bool may_count = is_rejected || within(of_user.certain, now, 60min) == 0;
    if (login.what == Login::What::accepted) {
      of_user = {};
      forgiven_[client] = now;
      return;
    }
    if (counts) of_user.certain.push_back(now);
    if (may_count) of_user.possible.push_back(now);
    seen_[client][login.user] = now;
  }
  [[nodiscard]] std::size_t certain(const Login& login, const Address& client, Time now) const {
    return within(failures_.at(client).at(login.user).certain, now, 60min);
  }
  [[nodiscard]] std::size_t possible(const Login& login, const Address& client, Time now) const {
    return within(failures_.at(client).at(login.user).possible, now, 70min);
  }
  // Users with a failure since the address was forgiven.
  [[nodiscard]] std::size_t users(const Address& client, Time now, Interval window) const {
    const auto forgiven = forgiven_.find(client);
    std::size_t count = 0;
    if (const auto seen = seen_.find(client); seen != seen_.end())
      for (const auto& [user, at] : seen->second)
        if (now - at < window && (forgiven == forgiven_.end() || at > forgiven->second)) ++count;
    return count;
  }

 private:
  static std::size_t within(const std::vector<Time>& all, Time now, Interval window) {
    return static_cast<std::size_t>(std::ranges::count_if(all, [&](Time each) { return now - each < window; }));
  }
  struct Failures {
    std::vector<Time> certain, possible;
  };
  std::map<Address, std::map<engine::UserMark, Failures>> failures_;
  std::map<Address, std::map<engine::UserMark, Time>> seen_;
  std::map<Address, Time> forgiven_;
};

// What is certain by the shorter window, and what may be so by the longer one, as above.
RC_GTEST_PROP(RandomGuesses, shut_the_gates_that_a_list_of_all_failures_shuts, ()) {
  const GuessLimits drawn{*rc::gen::inRange(0U, 5U), *rc::gen::inRange(0U, 4U)};
  GuessTable table(drawn, {}, {*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()});
  GuessModel model;
  Time now{1000h};
  const auto reached = [](std::uint32_t limit, std::size_t count) { return limit != 0 && count >= limit; };
  for (const Login& login : *logins()) {
    now += login.later + 1s;
    const Address from = address_of(login.who), client = client_of(from);
    model.happened(login, client, now);
    switch (login.what) {
      case Login::What::rejected: static_cast<void>(table.rejected(from, login.user, now)); break;
      case Login::What::refused: static_cast<void>(table.refused(from, login.user, now)); break;
      case Login::What::accepted: static_cast<void>(table.accepted(from, login.user)); break;
    }
    const bool is_user_shut = table.is_shut(from, login.user, now);
    if (reached(drawn.failures_per_user, model.certain(login, client, now)) && login.what == Login::What::rejected)
      RC_ASSERT(is_user_shut);
    if (is_user_shut) RC_ASSERT(reached(drawn.failures_per_user, model.possible(login, client, now)));
    if (table.is_shut(from, now)) RC_ASSERT(reached(drawn.users_per_address, model.users(client, now, 140min)));
    if (login.what == Login::What::accepted) RC_ASSERT(!table.is_shut(from, now) && !is_user_shut);
  }
}

}  // namespace
