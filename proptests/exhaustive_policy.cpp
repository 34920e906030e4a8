// Every law, for every decision of every state that a session can reach, under every setting and fact.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proptests/all_decisions.hpp"

namespace postern::proptests {
namespace {

const spec::Model& model() {
  static const spec::Model all = load_spec(POSTERN_SOURCE_FOLDER "/spec");
  return all;
}

TEST(EveryDecision, keeps_every_law) {
  std::map<std::string, std::string> broken;  // law -> its first breach
  std::size_t applied = 0;
  const spec::Reach reach = for_each_decision(model(), [&](const Decision& d) {
    for (const Law& law : all_laws) {
      ++applied;
      if (!law.is_kept(d))
        broken.emplace(law.name, std::string(spec::name_of(d.event)) + " by " + std::string(spec::name_of(d.rule)) +
                                     " with guards " + std::to_string(d.before.bits));
    }
  });
  for (const auto& [law, breach] : broken) ADD_FAILURE() << law << " is broken: " << breach;
  std::printf("%zu configurations, %zu states, %zu decisions, %zu laws, %zu applications\n", reach.configurations,
              reach.states, reach.decisions, all_laws.size(), applied);
  EXPECT_EQ(reach.configurations, 512U);
  EXPECT_GT(reach.decisions, 400'000U);
}

// RFC 5321 4.1.1.10: from every state some events lead to the end.
TEST(EveryState, has_a_way_to_the_end) {
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> into;
  std::unordered_set<std::uint64_t> states, ending;
  std::vector<std::uint64_t> todo;
  constexpr std::uint64_t counted = spec::bit::errors_spent | spec::bit::auth_attempts_spent;
  for_each_decision(model(), [&](const Decision& d) {
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

// Laws that speak of a case which no session meets say nothing: each one's subject must occur.
TEST(EveryLaw, speaks_of_something_that_happens) {
  std::set<spec::Effect> effects;
  std::set<spec::Event> events;
  std::set<std::uint16_t> codes;
  for_each_decision(model(), [&](const Decision& d) {
    effects.insert(d.effect);
    events.insert(d.event);
    codes.insert(d.code);
  });
  EXPECT_EQ(effects.size(), spec::effect_count);
  EXPECT_EQ(events.size(), spec::event_count);
  for (const int code : {334, 235, 220, 354, 221, 421, 250})
    EXPECT_TRUE(codes.contains(static_cast<std::uint16_t>(code))) << code;
}

}  // namespace
}  // namespace postern::proptests
