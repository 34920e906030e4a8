#include <gtest/gtest.h>

#include "base/flag_guard.hpp"

namespace postern::base {
namespace {

TEST(FlagGuard, clears_its_flag_on_every_way_out) {
  bool flag = false;
  const auto leave = [&](int way) {
    const FlagGuard guard(flag);
    EXPECT_TRUE(flag);
    if (way == 0) return;
    if (way == 1) throw way;
  };
  leave(0);
  EXPECT_FALSE(flag);
  EXPECT_THROW(leave(1), int);
  EXPECT_FALSE(flag);
  leave(2);
  EXPECT_FALSE(flag);
}

}  // namespace
}  // namespace postern::base
