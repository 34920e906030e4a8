#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ask/auth_environment.hpp"

namespace postern::ask {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(std::string_view text) {
  Pairs found;
  while (const auto pair = take_pair(text)) found.emplace_back(pair->name, pair->text);
  return found;
}

TEST(Pairs, are_taken_one_by_one) {
  EXPECT_EQ((Pairs{{"A", "1"}, {"B", ""}, {"C", "x,y=z"}}), pairs_of(",A=\"1\",B=\"\",C=\"x,y=z\""));
  EXPECT_EQ((Pairs{}), pairs_of(""));
  EXPECT_EQ((Pairs{{"A", "no \\escapes"}}), pairs_of(",A=\"no \\escapes\""));
}

// jms1 patch 7.08: reading stops at the first malformed pair
TEST(Pairs, end_at_the_first_malformed_one) {
  for (const std::string_view rest :
       {std::string_view(",B"), std::string_view(",B="), std::string_view(",B=2"), std::string_view(",B=\"2"),
        std::string_view(",=\"2\""), std::string_view("B=\"2\""), std::string_view(" ,B=\"2\""),
        std::string_view(",,B=\"2\""), std::string_view(",B=2,C=\"3\""), std::string_view(",B,C=\"3\""),
        std::string_view(",B\0=\"2\"", 8), std::string_view(",B=\"2\0\"", 7), std::string_view(",\"B=\"2\"")}) {
    EXPECT_EQ((Pairs{{"A", "1"}}), pairs_of(",A=\"1\"" + std::string(rest))) << rest;
  }
}

class AuthEnvironment : public ::testing::Test {
 protected:
  [[nodiscard]] std::string value_of(std::string_view name) const {
    return std::string(environment_.find(name).value_or("(unset)"));
  }

  base::Environment environment_;
};

TEST_F(AuthEnvironment, the_user_is_named) {
  environment_.set("TCPREMOTEINFO", "ident");
  enter_auth_environment(environment_, "alice", {});
  EXPECT_EQ("alice", value_of("TCPREMOTEINFO"));
  EXPECT_EQ("alice", value_of("SMTP_AUTH_USER"));
}

TEST_F(AuthEnvironment, pairs_are_set_and_auth_set_renames) {
  environment_.set("MAXRCPT", "100");
  environment_.set("GREY", "1");
  environment_.set("AUTH_UNSET_GREY", "");
  environment_.set("AUTH_SET_SPFBEHAVIOR", "0");
  enter_auth_environment(environment_, "dave", ",DATABYTES=\"77\",AUTH_SET_MAXRCPT=\"500\"");
  EXPECT_EQ("77", value_of("DATABYTES"));
  EXPECT_EQ("500", value_of("MAXRCPT"));
  EXPECT_EQ("0", value_of("SPFBEHAVIOR"));
  EXPECT_EQ("(unset)", value_of("GREY"));
}

TEST_F(AuthEnvironment, unset_wins_over_set) {
  environment_.set("AUTH_SET_MAXRCPT", "500");
  environment_.set("AUTH_UNSET_MAXRCPT", "1");
  enter_auth_environment(environment_, "alice", {});
  EXPECT_EQ("(unset)", value_of("MAXRCPT"));
}

TEST_F(AuthEnvironment, no_pair_speaks_for_somebody_else) {
  environment_.set("AUTH_SET_SMTP_AUTH_USER", "mallory");
  enter_auth_environment(environment_, "alice", ",TCPREMOTEINFO=\"root\",AUTH_UNSET_TCPREMOTEINFO=\"1\"");
  EXPECT_EQ("alice", value_of("TCPREMOTEINFO"));
  EXPECT_EQ("alice", value_of("SMTP_AUTH_USER"));
}

TEST_F(AuthEnvironment, an_empty_name_sets_nothing) {
  environment_.set("AUTH_SET_", "x");
  environment_.set("AUTH_UNSET_", "x");
  enter_auth_environment(environment_, "alice", {});
}

}  // namespace
}  // namespace postern::ask
