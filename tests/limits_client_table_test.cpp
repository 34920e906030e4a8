// Deviation D22.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "limits/client_table.hpp"
#include "spec/limits.hpp"

namespace postern::limits {
namespace {

using namespace std::chrono_literals;

base::Address ipv4(std::uint32_t number) {
  const std::array<std::uint8_t, 4> octets{static_cast<std::uint8_t>(number >> 24U),
                                           static_cast<std::uint8_t>(number >> 16U),
                                           static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
  return base::Address::of_ipv4(octets);
}
base::Address address(std::string_view text) { return base::parse_address(text).value(); }

constexpr ClientLimits no_limits{0, 0, 0, 0};
const base::Time start{1000h};
const base::Address tim = ipv4(0xC0000201), tom = ipv4(0xC0000202);

class Table : public ::testing::Test {
 protected:
  static ClientLimits limits(auto ClientLimits::* which, std::uint32_t number) {
    ClientLimits limits = no_limits;
    limits.*which = number;
    return limits;
  }
  static std::uint32_t admitted(ClientTable& table, const base::Address& from, unsigned attempts,
                                base::Time now = start) {
    std::uint32_t count = 0;
    for (unsigned i = 0; i < attempts; ++i) count += table.admit(from, now) == Admission::ok ? 1U : 0U;
    return count;
  }
};

TEST_F(Table, the_limits_are_those_of_the_spec) {
  const ClientLimits usual;
  EXPECT_EQ(spec::max_sessions, usual.sessions);
  EXPECT_EQ(spec::max_sessions_per_address, usual.sessions_per_client);
  EXPECT_EQ(spec::max_sessions_per_network, usual.sessions_per_network);
  EXPECT_EQ(spec::max_connections_per_address, usual.connections_per_minute);
}

TEST_F(Table, sessions_in_all_are_bounded) {
  ClientTable table(limits(&ClientLimits::sessions, 3), {}, 1);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Admission::ok, table.admit(ipv4(i << 8U), start));
  EXPECT_EQ(Admission::total, table.admit(tim, start));
  table.leave(ipv4(0));
  EXPECT_EQ(Admission::ok, table.admit(tim, start));
  EXPECT_EQ(3, table.figures().sessions);
}

TEST_F(Table, sessions_of_a_client_are_bounded) {
  ClientTable table(limits(&ClientLimits::sessions_per_client, 2), {}, 1);
  EXPECT_EQ(2, admitted(table, tim, 5));
  EXPECT_EQ(Admission::client_busy, table.admit(tim, start));
  EXPECT_EQ(Admission::ok, table.admit(tom, start));
  table.leave(tim);
  EXPECT_EQ(Admission::ok, table.admit(tim, start));
}

TEST_F(Table, sessions_of_a_network_are_bounded) {
  ClientTable table(limits(&ClientLimits::sessions_per_network, 3), {}, 1);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Admission::ok, table.admit(ipv4(0xC0000200 + i), start));
  EXPECT_EQ(Admission::client_busy, table.admit(ipv4(0xC0000209), start));
  EXPECT_EQ(Admission::ok, table.admit(ipv4(0xC0000300), start));
  EXPECT_EQ(2, table.figures().networks);
  table.leave(ipv4(0xC0000300));
  EXPECT_EQ(1, table.figures().networks);
}

TEST_F(Table, a_client_is_admitted_so_often_a_minute) {
  ClientTable table(limits(&ClientLimits::connections_per_minute, 10), {}, 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Admission::ok, table.admit(tim, start + i * 1s));
    table.leave(tim);
  }
  EXPECT_EQ(Admission::client_too_fast, table.admit(tim, start + 10s));
  EXPECT_EQ(Admission::client_too_fast, table.admit(tim, start + 59s));
  EXPECT_EQ(Admission::ok, table.admit(tim, start + 65s + 5s));  // those of the first five seconds are forgotten
  EXPECT_EQ(Admission::ok, table.admit(tom, start + 10s));
}

TEST_F(Table, refused_connections_do_not_count) {
  ClientTable table(limits(&ClientLimits::connections_per_minute, 1), {}, 1);
  EXPECT_EQ(1, admitted(table, tim, 1000));
  EXPECT_EQ(Admission::ok, table.admit(tim, start + 65s));
}

// The order of spec/events.toml is that of the enum; nothing else may decide which of several reasons is given.
TEST_F(Table, the_first_reason_of_the_spec_is_told) {
  using enum ClientTable::Standing;
  struct Reason {
    Admission answer;
    ClientLimits limits;
    ClientTable::Standing standing;
  };
  const std::vector<Reason> reasons{{Admission::total, {1, 0, 0, 0}, clean},
                                    {Admission::client_busy, {0, 1, 0, 0}, clean},
                                    {Admission::client_busy, {0, 0, 1, 0}, clean},
                                    {Admission::client_too_fast, {0, 0, 0, 1}, clean},
                                    {Admission::client_guesses, no_limits, guesses}};
  for (const Reason& one : reasons) {
    for (const Reason& other : reasons) {
      ClientTable table(no_limits, {}, 1);
      ASSERT_EQ(Admission::ok, table.admit(tim, start));
      table.set({one.limits.sessions | other.limits.sessions,
                 one.limits.sessions_per_client | other.limits.sessions_per_client,
                 one.limits.sessions_per_network | other.limits.sessions_per_network,
                 one.limits.connections_per_minute | other.limits.connections_per_minute},
                {});
      const bool does_guess = one.standing == guesses || other.standing == guesses;
      EXPECT_EQ(std::min(event_of(one.answer), event_of(other.answer)),
                event_of(table.admit(tim, start, does_guess ? guesses : clean)));
    }
  }
}

TEST_F(Table, a_guesser_that_is_refused_does_not_count) {
  ClientTable table({0, 1, 1, 1}, {}, 1);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(Admission::client_guesses, table.admit(tim, start, ClientTable::Standing::guesses));
  EXPECT_EQ(Admission::ok, table.admit(tim, start));
}

TEST_F(Table, one_subnet_is_one_client) {
  ClientTable table(limits(&ClientLimits::sessions_per_client, 2), {}, 1);
  EXPECT_EQ(Admission::ok, table.admit(address("2001:db8:1:2::1"), start));
  EXPECT_EQ(Admission::ok, table.admit(address("2001:db8:1:2:ffff::2"), start));
  EXPECT_EQ(Admission::client_busy, table.admit(address("2001:db8:1:2::3"), start));
  EXPECT_EQ(Admission::ok, table.admit(address("2001:db8:1:3::1"), start));
  EXPECT_EQ(2, table.figures().clients);
}

TEST_F(Table, the_mapped_form_is_no_second_client) {
  ClientTable table(limits(&ClientLimits::sessions_per_client, 1), {}, 1);
  EXPECT_EQ(Admission::ok, table.admit(address("::ffff:192.0.2.1"), start));
  EXPECT_EQ(Admission::client_busy, table.admit(tim, start));
  table.leave(tim);
  EXPECT_EQ(0, table.figures().sessions);
}

TEST_F(Table, an_exempt_network_is_only_bounded_by_the_whole) {
  ClientTable table({5, 1, 1, 1}, {base::parse_network("192.0.2.0/31").value()}, 1);
  EXPECT_EQ(5, admitted(table, tim, 7));
  EXPECT_EQ(Admission::total, table.admit(tim, start));
  for (int i = 0; i < 5; ++i) table.leave(tim);
  EXPECT_EQ(1, admitted(table, tom, 3));
}

TEST_F(Table, new_limits_hold_for_sessions_that_are_open) {
  ClientTable table(no_limits, {base::parse_network("192.0.2.1").value()}, 1);
  EXPECT_EQ(3, admitted(table, tim, 3));
  table.set(limits(&ClientLimits::sessions_per_client, 3), {});
  EXPECT_EQ(Admission::client_busy, table.admit(tim, start));
  table.leave(tim);
  EXPECT_EQ(Admission::ok, table.admit(tim, start));
}

TEST_F(Table, who_never_came_cannot_leave) {
  ClientTable table(no_limits, {}, 1);
  table.leave(tim);
  EXPECT_EQ(Admission::ok, table.admit(tim, start));
  table.leave(tom);  // of the same network
  table.leave(tim);
  table.leave(tim);
  EXPECT_EQ(0, table.figures().sessions);
  EXPECT_EQ(0, table.figures().networks);
}

TEST_F(Table, never_grows) {
  ClientTable table(no_limits, {}, 1, 100);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    EXPECT_EQ(Admission::ok, table.admit(ipv4(i * 7), start));
    table.leave(ipv4(i * 7));
  }
  EXPECT_LE(table.figures().clients, 100);
  EXPECT_EQ(0, table.figures().networks);
  EXPECT_EQ(0, table.figures().sessions);
}

TEST_F(Table, without_a_limit_there_are_as_many_sessions_as_places) {
  ClientTable table(no_limits, {}, 1, 100);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(Admission::ok, table.admit(ipv4(i << 8U), start));
  EXPECT_EQ(Admission::total, table.admit(tim, start));
  for (std::uint32_t i = 0; i < 100; ++i) table.leave(ipv4(i << 8U));
  EXPECT_EQ(0, table.figures().sessions);
}

TEST_F(Table, many_addresses_push_out_no_session) {
  ClientTable table({0, 1, 0, 0}, {}, 1, 1000);
  EXPECT_EQ(Admission::ok, table.admit(tim, start));  // stays
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    EXPECT_EQ(Admission::ok, table.admit(ipv4(i), start));
    table.leave(ipv4(i));
  }
  EXPECT_EQ(Admission::client_busy, table.admit(tim, start));
  EXPECT_EQ(1000, table.figures().clients);
}

TEST_F(Table, the_one_seen_last_longest_ago_is_forgotten_first) {
  ClientTable table({0, 0, 0, 1}, {}, 1, 10);
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(Admission::ok, table.admit(ipv4(i), start));
    table.leave(ipv4(i));
  }
  EXPECT_EQ(Admission::client_too_fast, table.admit(ipv4(0), start));
  EXPECT_EQ(Admission::ok, table.admit(ipv4(0), start + 2min));  // seen again: now 1 is the oldest
  table.leave(ipv4(0));
  EXPECT_EQ(Admission::ok, table.admit(ipv4(100), start + 2min));
  EXPECT_EQ(Admission::client_too_fast, table.admit(ipv4(0), start + 2min));
  EXPECT_EQ(Admission::client_too_fast, table.admit(ipv4(2), start));
  EXPECT_EQ(Admission::ok, table.admit(ipv4(1), start));
}

TEST_F(Table, threads_lose_no_session) {
  ClientTable table(limits(&ClientLimits::sessions, 50), {}, 1);
  const auto work = [&](std::uint32_t seed) {
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      const base::Address from = ipv4((i * seed) % 97 << 8U);
      if (table.admit(from, start) == Admission::ok) table.leave(from);
    }
  };
  {
    const std::jthread one(work, 3), other(work, 5);
  }
  EXPECT_EQ(0, table.figures().sessions);
  EXPECT_EQ(0, table.figures().networks);
}

}  // namespace
}  // namespace postern::limits
