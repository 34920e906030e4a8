// Which address is worth a connection, and when again; with a given clock.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <set>

#include "loop/outbound_addresses.hpp"

namespace postern::loop {
namespace {

using namespace std::chrono_literals;

TEST(OutboundAddresses, after_a_rest_one_connection_probes) {
  OutboundAddresses addresses({base::SocketAddress{}}, {.first = 100ms, .longest = 1s}, 7);
  const base::Time now{};
  ASSERT_TRUE(addresses.pick(now));
  const auto first = addresses.begun(0), second = addresses.begun(0);
  addresses.failed(first, ECONNREFUSED, now);
  addresses.failed(second, ECONNREFUSED, now);  // begun before the first had failed
  EXPECT_FALSE(addresses.pick(now + 49ms));
  ASSERT_TRUE(addresses.pick(now + 101ms)) << "two that failed together count once";
  const auto probe = addresses.begun(0);
  EXPECT_FALSE(addresses.pick(now + 10s)) << "one probe at a time";
  addresses.failed(probe, ETIMEDOUT, now + 10s);
  EXPECT_FALSE(addresses.pick(now + 10s + 99ms));
  ASSERT_TRUE(addresses.pick(now + 10s + 201ms));
  addresses.connected(addresses.begun(0));
  EXPECT_TRUE(addresses.pick(now + 10s + 201ms));
}

TEST(OutboundAddresses, an_attempt_of_before_the_rest_ends_no_probe) {
  OutboundAddresses addresses({base::SocketAddress{}}, {.first = 100ms, .longest = 1s}, 7);
  const base::Time now{};
  const auto first = addresses.begun(0), slow = addresses.begun(0);
  addresses.failed(first, ECONNREFUSED, now);
  ASSERT_TRUE(addresses.pick(now + 101ms));
  const auto probe = addresses.begun(0);
  addresses.failed(slow, ETIMEDOUT, now + 5s);
  EXPECT_FALSE(addresses.pick(now + 100s)) << "the probe is still on its way";
  addresses.failed(probe, ETIMEDOUT, now + 100s);
  EXPECT_TRUE(addresses.pick(now + 101s));
}

TEST(OutboundAddresses, rest_twice_as_long_each_time_up_to_a_bound_and_by_chance) {
  std::set<base::Interval> rests;
  for (std::uint32_t seed = 1; seed < 20; ++seed) {
    OutboundAddresses addresses({base::SocketAddress{}}, {.first = 100ms, .longest = 1s}, seed);
    base::Time now{};
    for (const auto most : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
      addresses.failed(addresses.begun(0), ECONNREFUSED, now);
      const base::Interval rest = addresses.next() - now;
      EXPECT_LE(rest, most);
      EXPECT_GE(rest, most / 2);
      rests.insert(rest);
      now = addresses.next();
    }
  }
  EXPECT_GT(rests.size(), 50U);
}

TEST(OutboundAddresses, the_first_that_does_not_rest_is_picked) {
  OutboundAddresses addresses({{.text = "a"}, {.text = "b"}}, {.first = 1s, .longest = 1s}, 7);
  const base::Time now{};
  EXPECT_EQ(0U, addresses.pick(now));
  addresses.failed(addresses.begun(0), ECONNREFUSED, now);
  EXPECT_EQ(1U, addresses.pick(now));
  addresses.failed(addresses.begun(1), ETIMEDOUT, now);
  EXPECT_FALSE(addresses.pick(now));
  EXPECT_EQ("no connection, ETIMEDOUT: b", describe(addresses.last_failure()));
  EXPECT_EQ(0U, addresses.pick(now + 2s));
}

}  // namespace
}  // namespace postern::loop
