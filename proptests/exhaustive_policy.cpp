// Every decision of every state that a session can reach, under every setting and fact. (The laws of decisions:
// exhaustive_laws.cpp.)
#include <gtest/gtest.h>

#include <cstdio>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "testing/all_decisions.hpp"

namespace postern::proptests {
namespace {

const spec::Model& model() {
  static const spec::Model all = testing::load_spec(POSTERN_SOURCE_FOLDER "/spec");
  return all;
}

TEST(EveryDecision, is_the_same_by_the_generated_table_and_by_the_model) {
  const spec::Reach reach = spec::explore(model(), [](std::uint64_t word, std::size_t event, const spec::Row& row) {
    const testing::Decision d = testing::decide(spec::Guards{word}, static_cast<spec::Event>(event));
    ASSERT_EQ(static_cast<std::size_t>(d.rule), row.rule) << spec::name_of(d.event) << " with guards " << word;
  });
  std::printf("%zu configurations, %zu states, %zu decisions\n", reach.configurations, reach.states, reach.decisions);
  EXPECT_EQ(reach.configurations, 1024U);
  EXPECT_GT(reach.decisions, 400'000U);
}

// RFC 5321 4.1.1.10: from every state some events lead to the end.
TEST(EveryState, has_a_way_to_the_end) {
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> into;
  std::unordered_set<std::uint64_t> states, ending;
  std::vector<std::uint64_t> todo;
  constexpr std::uint64_t counted = spec::bit::errors_spent | spec::bit::auth_attempts_spent;
  testing::for_each_decision(model(), [&](const testing::Decision& d) {
    const std::uint64_t from = d.before.bits & ~counted;
    const std::uint64_t to = d.after.bits & ~counted;
    states.insert(from);
    into[to].push_back(from);
    if (d.after.has(spec::bit::waiting_end) && ending.insert(to).second) todo.push_back(to);
  });
  while (!todo.empty()) {
    const std::uint64_t state = todo.back();
    todo.pop_back();
    for (const std::uint64_t from : into[state]) {
      if (ending.insert(from).second) todo.push_back(from);
    }
  }
  for (const std::uint64_t state : states) EXPECT_TRUE(ending.contains(state)) << state;
}

}  // namespace
}  // namespace postern::proptests
