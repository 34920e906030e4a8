// What the descriptors are enough for: deviation D22.
#include <gtest/gtest.h>

#include "server/capacity.hpp"

namespace postern::server {
namespace {

config::Configuration configuration(const char* way_out) {
  config::Configuration settings;
  settings.loops = 2;
  settings.listeners.push_back({});
  settings.listeners.back().variables = {way_out};
  return settings;
}

TEST(CapacityOfDescriptors, as_many_as_are_wished_where_there_is_room) {
  const Capacity capacity = capacity_for(configuration("POSTERN_MAILDIR=mail"), 1'000'000);
  EXPECT_EQ(spec::max_sessions, capacity.sessions);
  EXPECT_LE(spec::max_sessions, capacity.messages);
  EXPECT_EQ(32, capacity.hand_overs);
  EXPECT_FALSE(capacity.is_below_wishes);
}

// Whatever is begun can end: all that may be open at once is less than the limit.
TEST(CapacityOfDescriptors, never_promises_more_than_there_are) {
  for (const char* way_out : {"POSTERN_MAILDIR=mail", "QMAILQUEUE=/bin/queue"})
    for (std::uint64_t descriptors = 256; descriptors < 70'000; descriptors += 97) {
      const Capacity capacity = capacity_for(configuration(way_out), descriptors);
      const std::uint64_t programs = way_out[0] == 'Q' ? capacity.hand_overs * 8U : 0;
      EXPECT_LE(capacity.sessions + std::uint64_t{capacity.messages} + programs + refused_connections + 100,
                descriptors);
      EXPECT_LE(1, capacity.hand_overs);
    }
}

TEST(CapacityOfDescriptors, fewer_hand_overs_leave_room_for_clients) {
  const Capacity capacity = capacity_for(configuration("QMAILQUEUE=/bin/queue"), 300);
  EXPECT_GT(32, capacity.hand_overs);
  EXPECT_LT(20, capacity.sessions);
  EXPECT_LT(5, capacity.messages);
  EXPECT_TRUE(capacity.is_below_wishes);
}

TEST(CapacityOfDescriptors, a_slot_comes_back_when_its_message_goes) {
  MessageSlots slots(2);
  MessageSlot first = slots.take();
  {
    const MessageSlot second = slots.take();
    EXPECT_TRUE(first.is_taken() && second.is_taken());
    EXPECT_FALSE(slots.take().is_taken());
    EXPECT_EQ(0, slots.free());
  }
  MessageSlot moved = std::move(first);
  EXPECT_EQ(1, slots.free());
  moved = {};
  EXPECT_EQ(2, slots.free());
}

}  // namespace
}  // namespace postern::server
