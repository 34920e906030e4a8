#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "deliver/mail_buffer.hpp"

namespace postern::deliver {
namespace {

std::string decoded_into(MailBuffer& buffer, std::size_t octets, char octet) {
  const std::span<char> room = buffer.room(octets + MailBuffer::decode_octets);
  EXPECT_GE(room.size(), octets + MailBuffer::decode_octets);
  std::ranges::fill(room, octet);
  buffer.append({room.data(), octets});
  return std::string(octets, octet);
}

TEST(MailBuffer, what_is_decoded_in_its_room_is_only_counted) {
  MailBuffer buffer;
  std::string all = decoded_into(buffer, 10, 'a');
  const char* const place = buffer.octets().data();
  all += decoded_into(buffer, 20, 'b');
  EXPECT_EQ(buffer.octets(), all);
  EXPECT_EQ(buffer.octets().data(), place);
}

TEST(MailBuffer, what_lies_elsewhere_is_copied) {
  MailBuffer buffer;
  std::string all = decoded_into(buffer, 10, 'a');
  buffer.append("elsewhere");
  EXPECT_EQ(buffer.octets(), all + "elsewhere");
  EXPECT_TRUE(decoded_into(buffer, 3, 'c') == "ccc");
  EXPECT_EQ(buffer.octets(), all + "elsewhereccc");
}

TEST(MailBuffer, keeps_what_it_has_while_it_grows) {
  MailBuffer buffer;
  std::string all;
  for (char octet = 'a'; octet <= 'z'; ++octet) all += decoded_into(buffer, 2500, octet);
  EXPECT_EQ(buffer.octets(), all);
}

TEST(MailBuffer, two_reads_fit_and_no_third_one) {
  MailBuffer buffer;
  for (int read = 0; read < 2; ++read) decoded_into(buffer, MailBuffer::read_octets, 'x');
  EXPECT_FALSE(buffer.has_room(MailBuffer::read_octets));
  EXPECT_TRUE(buffer.room(MailBuffer::read_octets).empty());
  buffer.clear();
  EXPECT_TRUE(buffer.is_empty());
  EXPECT_TRUE(buffer.has_room(2 * MailBuffer::read_octets));
}

// A piece may be a little larger than it should: what a read has brought has a place.
TEST(MailBuffer, is_never_too_small_to_append) {
  MailBuffer buffer;
  const std::string much(MailBuffer::full_octets, 'x');
  buffer.append(much);
  buffer.append("and more");
  EXPECT_EQ(buffer.octets(), much + "and more");
}

TEST(MailBuffer, a_view_of_its_own_octets_is_appended_whole) {
  MailBuffer buffer;
  std::string all;
  for (int i = 0; i < 5000; ++i) all += static_cast<char>('a' + i % 26);
  buffer.append(all);
  buffer.append(buffer.octets());
  EXPECT_EQ(buffer.octets(), all + all);
}

}  // namespace
}  // namespace postern::deliver
