// Deviations D7, D22: which failed logins shut which gate, and what opens it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "limits/guess_table.hpp"

namespace postern::limits {
namespace {

using namespace std::chrono_literals;

constexpr base::SipHash::Key secret{1, 2};
const base::Time start{1000h};
const base::Address nat = base::parse_address("192.0.2.1").value(), other = base::parse_address("192.0.2.2").value();
const engine::UserMark bob = engine::mark_of("bob"), alice = engine::mark_of("alice");

engine::UserMark user(int number) { return engine::mark_of("user" + std::to_string(number)); }

int shut(const GateChanges& changes, GateKind kind) {
  int count = 0;
  for (const auto& change : changes.all) count += change && change->kind == kind && change->is_shut ? 1 : 0;
  return count;
}

TEST(Guesses, the_limits_are_those_of_the_spec) {
  EXPECT_EQ(spec::max_failed_auth_per_user, GuessLimits{}.failures_per_user);
  EXPECT_EQ(spec::max_failed_users_per_address, GuessLimits{}.users_per_address);
  EXPECT_EQ(spec::max_unknown_recipients_per_address, GuessLimits{}.recipients_per_address);
}

TEST(Guesses, marks_tell_names_apart) {
  EXPECT_EQ(bob, engine::mark_of("bob"));
  EXPECT_NE(bob, engine::mark_of("Bob"));
  EXPECT_NE(0, engine::mark_of(""));
}

TEST(Guesses, a_wrong_password_shuts_the_gate_of_that_user_at_that_address_alone) {
  GuessTable table({3, 2}, {}, secret);
  EXPECT_EQ(0, shut(table.rejected(nat, bob, start), GateKind::user));
  EXPECT_EQ(0, shut(table.rejected(nat, bob, start + 1s), GateKind::user));
  EXPECT_EQ(1, shut(table.rejected(nat, bob, start + 2s), GateKind::user));
  EXPECT_TRUE(table.is_shut(nat, bob, start + 3s));
  EXPECT_FALSE(table.is_shut(nat, alice, start + 3s));
  EXPECT_FALSE(table.is_shut(other, bob, start + 3s));
  EXPECT_FALSE(table.is_shut(nat, start + 3s));
}

TEST(Guesses, one_stale_password_never_shuts_the_address) {
  GuessTable table({20, 2}, {}, secret);
  for (int i = 0; i < 1000; ++i) static_cast<void>(table.rejected(nat, bob, start + i * 30s));
  EXPECT_FALSE(table.is_shut(nat, start + 1000 * 30s));
}

TEST(Guesses, a_gate_opens_after_an_hour_and_says_so_once) {
  GuessTable table({1, 1}, {}, secret);
  const GateChanges changes = table.rejected(nat, bob, start);
  EXPECT_EQ(1, shut(changes, GateKind::user));
  EXPECT_EQ(1, shut(changes, GateKind::address));
  EXPECT_TRUE(table.is_shut(nat, bob, start + 59min));
  EXPECT_TRUE(table.is_shut(nat, start + 59min));
  EXPECT_FALSE(table.next_opened(start + 59min));
  const auto first = table.next_opened(start + 66min), second = table.next_opened(start + 66min);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(GateKind::user, first->kind);
  EXPECT_EQ(changes.all[0].value().number, first->number);
  EXPECT_EQ(GateKind::address, second->kind);
  EXPECT_EQ(nat, second->address);
  EXPECT_FALSE(first->is_shut || second->is_shut);
  EXPECT_FALSE(table.next_opened(start + 66min));
  EXPECT_FALSE(table.is_shut(nat, bob, start + 66min));
  EXPECT_FALSE(table.is_shut(nat, start + 66min));
  EXPECT_EQ(1, shut(table.rejected(nat, bob, start + 67min), GateKind::user));
}

TEST(Guesses, many_users_shut_the_address) {
  GuessTable table({0, 3}, {}, secret);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(0, shut(table.rejected(nat, user(i), start), GateKind::address));
  EXPECT_EQ(0, shut(table.rejected(nat, user(1), start), GateKind::address));
  EXPECT_EQ(1, shut(table.rejected(nat, user(2), start), GateKind::address));
  EXPECT_TRUE(table.is_shut(nat, start));
  EXPECT_FALSE(table.is_shut(other, start));
}

TEST(Guesses, an_auth_that_nobody_judged_counts_once_for_its_user) {
  GuessTable table({2, 2}, {}, secret);
  for (int i = 0; i < 100; ++i) static_cast<void>(table.refused(nat, bob, start + i * 1s));
  EXPECT_FALSE(table.is_shut(nat, bob, start + 100s));
  EXPECT_FALSE(table.is_shut(nat, start + 100s));
  EXPECT_EQ(1, shut(table.refused(nat, alice, start + 101s), GateKind::address));
}

TEST(Guesses, a_good_login_forgives_its_address_and_its_user) {
  GuessTable table({2, 2}, {}, secret);
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(table.rejected(nat, bob, start + i * 1s));
    static_cast<void>(table.accepted(nat, bob));
  }
  EXPECT_FALSE(table.is_shut(nat, bob, start + 100s));
  for (const auto each : {bob, alice}) static_cast<void>(table.rejected(nat, each, start + 101s));
  EXPECT_TRUE(table.is_shut(nat, start + 101s));
  const GateChanges changes = table.accepted(nat, alice);
  ASSERT_TRUE(changes.all[1].has_value());
  EXPECT_FALSE(changes.all[1]->is_shut);
  EXPECT_FALSE(table.is_shut(nat, start + 102s));
}

TEST(Guesses, a_good_login_does_not_forgive_what_was_guessed_of_others) {
  GuessTable table({2, 0}, {}, secret);
  static_cast<void>(table.rejected(nat, bob, start));
  static_cast<void>(table.accepted(nat, alice));
  EXPECT_EQ(1, shut(table.rejected(nat, bob, start), GateKind::user));
  static_cast<void>(table.accepted(nat, alice));
  EXPECT_TRUE(table.is_shut(nat, bob, start));
}

TEST(Guesses, after_a_good_login_each_user_counts_again) {
  GuessTable table({0, 2}, {}, secret);
  static_cast<void>(table.rejected(nat, bob, start));
  static_cast<void>(table.accepted(nat, alice));
  static_cast<void>(table.rejected(nat, bob, start));
  EXPECT_EQ(1, shut(table.rejected(nat, user(1), start), GateKind::address));
}

TEST(Guesses, who_is_exempt_is_never_refused) {
  GuessTable table({1, 1}, {base::parse_network("192.0.2.1").value()}, secret);
  static_cast<void>(table.rejected(nat, bob, start));
  EXPECT_FALSE(table.is_shut(nat, bob, start) || table.is_shut(nat, start));
  EXPECT_EQ(0, table.figures().users);
}

TEST(Guesses, new_limits_open_what_they_allow) {
  GuessTable table({1, 1}, {}, secret);
  static_cast<void>(table.rejected(nat, bob, start));
  EXPECT_EQ(1, table.figures().shut_users);
  table.set({0, 0}, {});
  EXPECT_FALSE(table.is_shut(nat, bob, start) || table.is_shut(nat, start));
  EXPECT_TRUE(table.next_opened(start) && table.next_opened(start));
  EXPECT_EQ(0, table.figures().shut_users + table.figures().shut_addresses);
}

TEST(Guesses, never_grow_and_keep_the_gates_that_are_shut) {
  GuessTable table({2, 0}, {}, secret, 100);
  for (int i = 0; i < 2; ++i) static_cast<void>(table.rejected(nat, bob, start));
  for (int i = 0; i < 10'000; ++i) static_cast<void>(table.rejected(nat, user(i), start));
  EXPECT_EQ(100, table.figures().users);
  EXPECT_TRUE(table.is_shut(nat, bob, start));
}

TEST(Guesses, one_subnet_is_one_address) {
  GuessTable table({1, 0}, {}, secret);
  static_cast<void>(table.rejected(base::parse_address("2001:db8:1:2::1").value(), bob, start));
  EXPECT_TRUE(table.is_shut(base::parse_address("2001:db8:1:2::ffff").value(), bob, start));
  EXPECT_FALSE(table.is_shut(base::parse_address("2001:db8:1:3::1").value(), bob, start));
}

TEST(Guesses, threads_agree) {
  GuessTable table({10, 0}, {}, secret, 50);
  std::atomic<int> shuttings = 0;
  const auto work = [&] {
    for (int i = 0; i < 1000; ++i) shuttings += shut(table.rejected(nat, user(i % 10), start), GateKind::user);
  };
  {
    const std::jthread one(work), two(work);
  }
  EXPECT_EQ(10, shuttings);
}

// Deviation D33.
TEST(Harvests, unknown_recipients_shut_the_gate_of_their_address_for_an_hour) {
  GuessTable table({0, 0, 3}, {}, secret);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(0, shut(table.unknown_recipient(nat, start + i * 10min).changes, GateKind::recipients));
  EXPECT_FALSE(table.is_harvesting(nat, start + 20min));
  EXPECT_EQ(1, shut(table.unknown_recipient(nat, start + 20min).changes, GateKind::recipients));
  EXPECT_EQ(0, shut(table.unknown_recipient(nat, start + 21min).changes, GateKind::recipients)) << "it is shut already";
  EXPECT_TRUE(table.is_harvesting(nat, start + 22min));
  EXPECT_FALSE(table.is_harvesting(other, start + 22min));
  EXPECT_FALSE(table.is_shut(nat, start + 22min)) << "it may log in";
  EXPECT_EQ(std::nullopt, table.next_opened(start + 22min));
  EXPECT_FALSE(table.is_harvesting(nat, start + 80min)) << "two of the four are too long ago";
  const auto opened = table.next_opened(start + 80min);
  ASSERT_TRUE(opened);
  EXPECT_EQ(GateKind::recipients, opened->kind);
  EXPECT_FALSE(opened->is_shut);
  EXPECT_EQ(1, shut(table.unknown_recipient(nat, start + 80min).changes, GateKind::recipients))
      << "and the next shuts it again";
}

// Whatever asks at once: as many as the limit learn that a recipient is unknown, and no more.
TEST(Harvests, one_more_than_the_limit_is_one_too_many) {
  GuessTable table({0, 0, 2}, {}, secret);
  for (const bool is_one_too_many : {false, false, true, true})
    EXPECT_EQ(is_one_too_many, table.unknown_recipient(nat, start).is_one_too_many);
  EXPECT_FALSE(table.unknown_recipient(other, start).is_one_too_many);
  table.set({}, {});
  EXPECT_FALSE(table.unknown_recipient(nat, start).is_one_too_many);
}

TEST(Harvests, an_ipv6_network_of_one_owner_is_one_address) {
  GuessTable table({0, 0, 2}, {}, secret);
  static_cast<void>(table.unknown_recipient(base::parse_address("2001:db8::1").value(), start));
  static_cast<void>(table.unknown_recipient(base::parse_address("2001:db8::2").value(), start));
  EXPECT_TRUE(table.is_harvesting(base::parse_address("2001:db8::3").value(), start));
}

TEST(Harvests, without_a_limit_nothing_is_remembered) {
  GuessTable table({}, {}, secret);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(0, shut(table.unknown_recipient(nat, start).changes, GateKind::recipients));
  EXPECT_FALSE(table.is_harvesting(nat, start));
  EXPECT_EQ(0U, table.figures().harvesters);
  table.set({0, 0, 1}, {});
  EXPECT_FALSE(table.is_harvesting(nat, start));
  EXPECT_EQ(1, shut(table.unknown_recipient(nat, start).changes, GateKind::recipients));
  EXPECT_TRUE(table.is_harvesting(nat, start));
  table.set({}, {});
  EXPECT_FALSE(table.is_harvesting(nat, start)) << "a reload lifts it";
  ASSERT_TRUE(table.next_opened(start));
}

TEST(Harvests, exempt_clients_are_not_counted) {
  GuessTable table({0, 0, 1}, {base::parse_network("192.0.2.0/24").value()}, secret);
  EXPECT_EQ(0, shut(table.unknown_recipient(nat, start).changes, GateKind::recipients));
  EXPECT_FALSE(table.is_harvesting(nat, start));
  EXPECT_EQ(0U, table.figures().harvesters);
}

TEST(Harvests, who_was_seen_last_longest_ago_is_forgotten) {
  GuessTable table({0, 0, 2}, {}, secret, 4);
  static_cast<void>(table.unknown_recipient(nat, start));
  static_cast<void>(table.unknown_recipient(nat, start));
  for (int i = 1; i < 100; ++i)
    static_cast<void>(table.unknown_recipient(base::parse_address("198.51.100." + std::to_string(i)).value(), start));
  EXPECT_EQ(4U, table.figures().harvesters);
  EXPECT_TRUE(table.is_harvesting(nat, start)) << "one that is shut goes last";
}

}  // namespace
}  // namespace postern::limits
