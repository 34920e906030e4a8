#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string>

#include "base/wipe.hpp"

namespace postern::base {
namespace {

TEST(Wipe, nothing_is_left) {
  std::array<char, 6> password{'s', 'e', 'c', 'r', 'e', 't'};
  wipe(password);
  EXPECT_TRUE(std::ranges::all_of(password, [](char octet) { return octet == '\0'; }));
}

TEST(SecretBuffer, holds_fields_with_their_nul) {
  SecretBuffer<8> buffer;
  EXPECT_TRUE(buffer.append_terminated("ab"));
  EXPECT_TRUE(buffer.append_terminated("cd"));
  EXPECT_EQ(std::string("ab\0cd\0", 6), buffer.text());
  EXPECT_STREQ("ab", buffer.c_str());
}

TEST(SecretBuffer, takes_a_field_whole_or_not_at_all) {
  SecretBuffer<4> buffer;
  EXPECT_FALSE(buffer.append_terminated("abcd"));
  EXPECT_TRUE(buffer.append_terminated("abc"));
  EXPECT_FALSE(buffer.append_terminated(""));
  EXPECT_EQ(std::string("abc\0", 4), buffer.text());
}

TEST(SecretBuffer, wipes_itself) {
  using Buffer = SecretBuffer<64>;
  alignas(Buffer) std::array<char, sizeof(Buffer)> storage{};
  auto* buffer = new (storage.data()) Buffer;
  ASSERT_TRUE(buffer->append_terminated("wonderland"));
  asm volatile("" : : "r"(storage.data()) : "memory");  // else the compiler may never have written what then dies
  std::destroy_at(buffer);
  asm volatile("" : : "r"(storage.data()) : "memory");
  EXPECT_EQ(std::string_view::npos, std::string_view(storage.data(), storage.size()).find("wonder"));
}

}  // namespace
}  // namespace postern::base
