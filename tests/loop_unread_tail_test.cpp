// What an UnreadTail gives back to the allocator is looked at: half a line may be half a password.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "loop/unread_tail.hpp"

namespace {
// The allocator has no other place to remember: the size of arrays stands before them.
struct Freed {
  std::size_t arrays = 0;
  bool all_wiped = true;
};
Freed& freed() {
  static Freed freed;
  return freed;
}
constexpr std::size_t header_octets = 16;
}  // namespace

// Not inline, or the compiler sees malloc() where it wants new.
[[gnu::noinline]] void* operator new[](std::size_t octets) {
  auto* const memory = static_cast<char*>(std::malloc(octets + header_octets));
  if (memory == nullptr) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(memory) = octets;
  return memory + header_octets;
}
[[gnu::noinline]] void operator delete[](void* array) noexcept {
  if (array == nullptr) return;
  auto* const octets = static_cast<char*>(array);
  const std::size_t size = *reinterpret_cast<std::size_t*>(octets - header_octets);
  ++freed().arrays;
  for (std::size_t i = 0; i < size; ++i) freed().all_wiped &= octets[i] == '\0';
  std::free(octets - header_octets);
}
[[gnu::noinline]] void operator delete[](void* array, std::size_t) noexcept { operator delete[](array); }

namespace postern::loop {
namespace {

std::string take(UnreadTail& tail) {
  std::array<char, 64> room{};
  return {room.data(), tail.take_into(room)};
}

TEST(UnreadTail, gives_back_what_it_was_given_and_only_once) {
  UnreadTail tail;
  tail.keep(std::string("AUTH PLAIN c2Vj"));
  EXPECT_EQ(15U, tail.size());
  EXPECT_EQ("AUTH PLAIN c2Vj", take(tail));
  EXPECT_EQ(0U, tail.size());
  EXPECT_EQ("", take(tail));
}

TEST(UnreadTail, nothing_to_keep_is_nothing_to_hold) {
  freed() = {};
  {
    UnreadTail tail;
    tail.keep({});
    EXPECT_EQ(0U, tail.size());
  }
  EXPECT_EQ(0U, freed().arrays);
}

TEST(UnreadTail, wipes_when_it_is_taken_from_and_when_it_dies) {
  freed() = {};
  {
    UnreadTail tail;
    tail.keep(std::string("wonderland"));
    EXPECT_EQ("wonderland", take(tail));
    EXPECT_EQ(1U, freed().arrays);
    tail.keep(std::string("looking glass"));
  }
  EXPECT_EQ(2U, freed().arrays);
  EXPECT_TRUE(freed().all_wiped);
}

}  // namespace
}  // namespace postern::loop
