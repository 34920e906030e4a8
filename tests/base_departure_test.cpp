#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/departure.hpp"

// Deviation D26; RFC 1047.
namespace postern::base {
namespace {

TEST(Departure, quit_is_a_whole_line_that_is_quit) {
  for (const char* octets : {"QUIT\r\n", "quit\r\n", "NOOP\r\nQuIt\r\n", "MAIL FROM:<a@b>\r\nQUIT\r\nXYZZY\r\n"})
    EXPECT_TRUE(asks_to_end(octets)) << octets;
  for (const char* octets : {"", "QUIT", "QUIT\n", "QUITE\r\n", "NOOP QUIT\r\n", "QU\r\nIT\r\n"})
    EXPECT_FALSE(asks_to_end(octets)) << octets;
  EXPECT_TRUE(asks_to_end(std::string(20'000, 'x') + "\r\nQUIT\r\n"));
}

class Peers : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data())); }
  void TearDown() override {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void send(const std::string& octets) {
    ASSERT_EQ(static_cast<ssize_t>(octets.size()), ::send(ends_[1], octets.data(), octets.size(), 0));
  }
  void leave() { ASSERT_EQ(0, ::shutdown(ends_[1], SHUT_WR)); }
  std::array<int, 2> ends_{};
};

TEST_F(Peers, who_is_there_has_not_left) {
  EXPECT_FALSE(has_left_in_clear(ends_[0], ""));
  send("NOOP\r\n");
  EXPECT_FALSE(has_left_in_clear(ends_[0], ""));
}

TEST_F(Peers, an_end_without_quit_is_a_departure_and_takes_nothing) {
  send("NOOP\r\n");
  leave();
  EXPECT_TRUE(has_left_in_clear(ends_[0], "RSET\r\n"));
  std::array<char, 16> room{};
  EXPECT_EQ(6, ::recv(ends_[0], room.data(), room.size(), 0));
}

TEST_F(Peers, a_quit_that_is_held_or_still_in_the_socket_or_in_both_wants_the_message) {
  leave();
  EXPECT_FALSE(has_left_in_clear(ends_[0], "QUIT\r\n"));
}

TEST_F(Peers, a_quit_in_the_socket_counts) {
  send("IT\r\n");
  leave();
  EXPECT_FALSE(has_left_in_clear(ends_[0], "QU"));
  EXPECT_TRUE(has_left_in_clear(ends_[0], "NOOP\r\nU"));
}

TEST_F(Peers, what_cannot_be_seen_is_taken_for_quit) {
  send(std::string(peek_octets, 'x'));
  leave();
  EXPECT_FALSE(has_left_in_clear(ends_[0], ""));
}

TEST(Departure, a_pipe_tells_of_no_departure) {
  std::array<int, 2> ends{};
  ASSERT_EQ(0, ::pipe(ends.data()));
  ::close(ends[1]);
  EXPECT_FALSE(has_left_in_clear(ends[0], ""));
  ::close(ends[0]);
}

}  // namespace
}  // namespace postern::base
