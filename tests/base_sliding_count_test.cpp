#include <gtest/gtest.h>

#include "base/sliding_count.hpp"

namespace postern::base {
namespace {

using namespace std::chrono_literals;

constexpr auto window = 60s;
const Time start{1000h};

TEST(SlidingCount, counts_what_happened_in_the_window) {
  SlidingCount count;
  EXPECT_EQ(0, count.count(start, window));
  EXPECT_TRUE(count.is_blank());
  count.add(start, window);
  count.add(start + 59s, window);
  EXPECT_EQ(2, count.count(start + 59s, window));
  EXPECT_EQ(2, count.count(start + 60s, window));  // a little longer than it must
  EXPECT_EQ(1, count.count(start + 65s, window));
  EXPECT_EQ(1, count.count(start + 119s, window));
  EXPECT_EQ(0, count.count(start + 124s, window));
  EXPECT_FALSE(count.is_blank());
}

TEST(SlidingCount, begins_again_after_a_long_time) {
  SlidingCount count;
  count.add(start, window);
  count.add(start + 1000h, window);
  EXPECT_EQ(1, count.count(start + 1000h, window));
}

TEST(SlidingCount, a_time_that_goes_back_is_now) {
  SlidingCount count;
  count.add(start + 30s, window);
  count.add(start, window);
  EXPECT_EQ(2, count.count(start, window));
  EXPECT_EQ(2, count.count(start + 89s, window));
  EXPECT_EQ(0, count.count(start + 95s, window));
}

TEST(SlidingCount, ends_at_the_greatest_number) {
  SlidingCount count;
  for (int i = 0; i < 70'000; ++i) count.add(start, window);
  count.add(start + 10s, window);
  EXPECT_EQ(65'535, count.count(start + 10s, window));
}

TEST(SlidingCount, is_small) { EXPECT_LE(sizeof(SlidingCount), 32); }

}  // namespace
}  // namespace postern::base
