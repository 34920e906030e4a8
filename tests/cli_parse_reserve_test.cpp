// What new does on several threads when memory ends while one of them parses: its handler is asked, as new asks it.
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "cli/parse_reserve.hpp"

namespace postern::cli {
namespace {

// What the handler gave back for another try.
bool gets_another_try() {
  try {
    std::get_new_handler()();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

int tries_on_threads(int threads) {
  std::atomic<int> tries = 0;
  std::vector<std::jthread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&] {
      for (int j = 0; j < 100; ++j) tries += gets_another_try() ? 1 : 0;
    });
  all.clear();
  return tries;
}

TEST(ParseReserve, it_is_for_the_thread_that_parses_alone) {
  std::optional<ParseReserve> reserve(std::in_place);
  EXPECT_EQ(0, tries_on_threads(4)) << "a loop has taken what was kept for the parser";
  EXPECT_TRUE(gets_another_try());
  EXPECT_FALSE(gets_another_try()) << "once";
  reserve.reset();
  EXPECT_FALSE(gets_another_try());
}

TEST(ParseReserve, each_thread_that_parses_has_its_own_and_ends_no_other_s) {
  std::atomic<int> kept = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i)
      all.emplace_back([&] {
        for (int j = 0; j < 100; ++j) {
          const ParseReserve reserve;
          kept += gets_another_try() && !gets_another_try() ? 1 : 0;
        }
      });
  }
  EXPECT_EQ(400, kept);
}

}  // namespace
}  // namespace postern::cli
