#include <gtest/gtest.h>

#include <array>

#include "base/environment.hpp"

namespace postern::base {
namespace {

TEST(Environment, begins_with_the_variables_of_a_process_and_leaves_them_alone) {
  const std::array<const char*, 3> process{"A=1", "B=2", nullptr};
  Environment environment(process.data());
  environment.set("A", "3");
  environment.set("C", "");
  environment.unset("B");
  EXPECT_EQ("3", environment.find("A"));
  EXPECT_EQ("", environment.find("C"));
  EXPECT_FALSE(environment.has("B"));
  EXPECT_STREQ("A=1", process[0]);
  EXPECT_STREQ("B=2", process[1]);
}

TEST(Environment, is_a_list_with_a_null_pointer_at_its_end) {
  Environment environment;
  EXPECT_EQ(nullptr, *environment.pointers());
  environment.set("A", "1");
  environment.set("A", "2");
  EXPECT_STREQ("A=2", environment.pointers()[0]);
  EXPECT_EQ(nullptr, environment.pointers()[1]);
}

TEST(Environment, a_view_outlives_other_changes) {
  Environment environment;
  environment.set("A", "1");
  const std::string_view value = environment.value_of("A");
  for (int i = 0; i < 1000; ++i) environment.set("B" + std::to_string(i), "x");
  EXPECT_EQ("1", value);
}

TEST(Environment, finds_what_stands_behind_a_prefix) {
  Environment environment;
  environment.set("AUTH_SET_", "no name");
  environment.set("AUTH_SET_X", "1");
  EXPECT_EQ(std::vector<std::string>{"X=1"}, environment.all_after("AUTH_SET_"));
}

}  // namespace
}  // namespace postern::base
