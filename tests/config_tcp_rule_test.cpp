#include <gtest/gtest.h>

#include <string>

#include "config/tcp_rule.hpp"

namespace postern::config {
namespace {

using namespace std::string_literals;
using Kind = TcpRuleItem::Kind;

std::string shown(std::string_view value) {
  std::string text;
  TcpRuleItems items(value);
  while (const auto item = items.next()) {
    if (item->kind == Kind::denies) text += "deny;";
    if (item->kind == Kind::sets) text += std::string(item->name) + "=" + std::string(item->value) + ";";
    if (item->kind == Kind::unknown) text += "?" + std::string(item->text) + ";";
  }
  return text;
}

TEST(TcpRule, items_come_one_after_the_other) {
  EXPECT_EQ("", shown(""));
  EXPECT_EQ("deny;", shown("D\0"s));
  EXPECT_EQ("RELAYCLIENT=;FORCE_TLS=1;", shown("+RELAYCLIENT=\0+FORCE_TLS=1\0"s));
  EXPECT_EQ("A=b=c;deny;", shown("+A=b=c\0D\0"s));
}

TEST(TcpRule, an_assignment_ends_before_a_nul_of_the_value) {
  const std::string value = "D\0+NAME=VALUE\0+X=\0"s;
  TcpRuleItems items(value);
  static_cast<void>(items.next());
  const auto item = items.next();
  ASSERT_TRUE(item);
  EXPECT_STREQ("NAME=VALUE", item->assignment.data());
}

TEST(TcpRule, what_is_neither_is_unknown) {
  EXPECT_EQ("?;", shown("\0"s));
  EXPECT_EQ("?x;?+NAME;?+=value;A=1;", shown("x\0+NAME\0+=value\0+A=1\0"s));
}

TEST(TcpRule, whatever_begins_with_d_denies) {
  EXPECT_TRUE(denies("D\0"s));
  EXPECT_TRUE(denies("+A=1\0Denied\0"s));
  EXPECT_FALSE(denies("+D=1\0"s));
  EXPECT_FALSE(denies(""));
}

TEST(TcpRule, what_is_not_ended_denies_but_sets_nothing) {
  EXPECT_EQ("A=1;?+RELAYCLIENT=;", shown("+A=1\0+RELAYCLIENT="s));
  EXPECT_TRUE(denies("D"));
}

}  // namespace
}  // namespace postern::config
