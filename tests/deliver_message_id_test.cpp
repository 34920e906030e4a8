#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "deliver/message_id.hpp"

namespace postern::deliver {
namespace {

// RFC 5321 4.4: ID = Atom
TEST(MessageId, is_an_atom_and_says_what_the_reply_says) {
  const MessageId id{.unix_time = 1700000000, .number = 4711000007};
  EXPECT_EQ(id.text(), "1700000000-4711000007");
  EXPECT_EQ(id.verdict(), "1700000000 qp 4711000007");
}

TEST(MessageIds, are_never_the_same_within_a_second_whatever_thread_asks) {
  constexpr int threads = 8, each = 10'000;
  std::vector<std::vector<std::string>> made(threads);
  {
    std::vector<std::jthread> running;
    for (auto& mine : made)
      running.emplace_back([&mine] {
        MessageIds ids;
        for (int i = 0; i < each; ++i) mine.push_back(ids.next(1700000000).text());
      });
  }
  std::set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), std::size_t{threads} * each);
}

TEST(MessageIds, begin_elsewhere_when_they_begin_again) {
  std::set<std::uint64_t> firsts;
  for (int i = 0; i < 20; ++i) {
    firsts.insert(MessageIds().next(0).number);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  EXPECT_GT(firsts.size(), 15U);
}

}  // namespace
}  // namespace postern::deliver
