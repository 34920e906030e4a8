// Which configurations behave alike: the walk through pairs of states and the partition of all states say the same.
#include <gtest/gtest.h>

#include <vector>

#include "audit/behaviour.hpp"

namespace postern::audit {
namespace {

// Of a caller that asks more often than walks are made for.
Behaviours that_asks_often(const Policy& policy, Compared compared) {
  Behaviours behaviours(policy, compared);
  const std::vector<spec::Guards> all = policy.configurations();
  for (int i = 0; i < 100; ++i) static_cast<void>(behaviours.alike(all.front(), all.back()));
  return behaviours;
}

class EveryView : public testing::TestWithParam<Compared> {};
INSTANTIATE_TEST_SUITE_P(Behaviour, EveryView, testing::Values(Compared::codes, Compared::words));

TEST_P(EveryView, one_question_is_answered_as_many_are) {
  const Policy policy;
  const Behaviours often = that_asks_often(policy, GetParam());
  std::size_t alike = 0, unlike = 0;
  const std::vector<spec::Guards> all = policy.configurations();
  for (std::size_t i = 0; i < all.size(); i += 7) {
    for (const spec::Variable* variable : policy.fixed()) {
      const spec::Guards other{all[i].bits ^ spec::bits_of(*variable)};
      const bool is_alike = Behaviours(policy, GetParam()).alike(all[i], other);
      EXPECT_EQ(often.alike(all[i], other), is_alike) << variable->name << ' ' << all[i].bits;
      ++(is_alike ? alike : unlike);
    }
  }
  EXPECT_GT(alike, 100U);
  EXPECT_GT(unlike, 100U);
}

TEST_P(EveryView, a_configuration_is_like_itself) {
  const Policy policy;
  for (const spec::Guards each : policy.configurations()) EXPECT_TRUE(Behaviours(policy, GetParam()).alike(each, each));
}

}  // namespace
}  // namespace postern::audit
