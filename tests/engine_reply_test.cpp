// How replies are counted when the client did not receive some of them.
#include <gtest/gtest.h>

#include "engine/reply.hpp"

namespace postern::engine {
namespace {

// RFC 5321 4.2.1: only the last line of a reply has no hyphen after the code
TEST(Replies, are_counted_by_their_ends) {
  EXPECT_EQ(replies_in(""), 0U);
  EXPECT_EQ(replies_in("250 ok\r\n"), 1U);
  EXPECT_EQ(replies_in("250-mx\r\n250-HELP\r\n250 8BITMIME\r\n503 MAIL first\r\n"), 2U);
  EXPECT_EQ(replies_in("AIL first (#5.5.1)\r\n250 ok\r\n"), 2U) << "the one that was cut has not been heard";
  EXPECT_EQ(replies_in("\n250 ok\r\n"), 2U);
}

}  // namespace
}  // namespace postern::engine
