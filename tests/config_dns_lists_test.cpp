#include <gtest/gtest.h>

#include "config/dns_lists.hpp"

namespace postern::config {
namespace {

DnsList one(std::string_view text) {
  const auto lists = parse_dns_lists(text);
  EXPECT_TRUE(lists.has_value()) << (lists ? "" : lists.error());
  return lists && lists->size() == 1 ? lists->front() : DnsList{};
}

std::string objection(std::string_view text) {
  const auto lists = parse_dns_lists(text);
  return lists ? "" : lists.error();
}

TEST(DnsListsTest, entries_are_as_postscreen_has_them) {
  const auto lists = parse_dns_lists(
      " zen.spamhaus.org=127.0.0.[2..11]*3, list.dnswl.org=127.0.[0..255].[1..3]*-2\tBL.example.=127.0.0.2 ");
  ASSERT_TRUE(lists.has_value());
  ASSERT_EQ(3U, lists->size());
  EXPECT_EQ("zen.spamhaus.org", (*lists)[0].zone);
  EXPECT_EQ(3, (*lists)[0].weight);
  EXPECT_EQ(-2, (*lists)[1].weight);
  EXPECT_EQ("bl.example", (*lists)[2].zone);
  EXPECT_EQ(1, (*lists)[2].weight);
  EXPECT_EQ(4, highest_score(*lists));
  EXPECT_TRUE(parse_dns_lists("").value().empty());
}

TEST(DnsListsTest, each_number_may_be_a_set) {
  const DnsList list = one("bl.example=127.0.[0;2].[2;4..7]");
  for (const int third : {0, 1, 2, 3})
    for (int last = 0; last < 256; ++last) {
      const bool is_in = (third == 0 || third == 2) && (last == 2 || (last >= 4 && last <= 7));
      EXPECT_EQ(is_in, list.has({127, 0, static_cast<std::uint8_t>(third), static_cast<std::uint8_t>(last)}));
    }
  EXPECT_FALSE(list.has({127, 1, 0, 2}));
  EXPECT_FALSE(list.has({10, 0, 0, 2}));
}

// What lists say when they do not answer, whatever the operator wrote; and what a registrar makes of a domain that ended.
TEST(DnsListsTest, an_error_of_a_list_is_never_a_listing) {
  const DnsList list = one("bl.example=127.[0..255].[0..255].[0..255]");
  for (int last = 0; last < 256; ++last) EXPECT_FALSE(list.has({127, 255, 255, static_cast<std::uint8_t>(last)}));
  EXPECT_TRUE(list.has({127, 255, 254, 1}));
  EXPECT_TRUE(list.has({127, 0, 255, 1}));
  EXPECT_FALSE(list.has({203, 0, 113, 5}));
}

TEST(DnsListsTest, a_list_without_the_addresses_that_are_a_listing_is_refused) {
  EXPECT_EQ(
      "\"zen.spamhaus.org\": write which answers are a listing, as in zen.spamhaus.org=127.0.0.[2..11]*3; "
      "=127.0.0.[0..255] if all of 127.0.0.0/24 is meant",
      objection("zen.spamhaus.org"));
  EXPECT_EQ(256U, one("bl.example=127.0.0.[0..255]").addresses[3].count());
  for (const char* wrong :
       {"bl.example*2", "bl.example=", "bl.example=127.0.0", "bl.example=127.0.0.2.3", "bl.example=127.0.0.[2",
        "bl.example=127.0.0.2..11", "bl.example=127.0.0.[11..2]", "bl.example=127.0.0.[]", "bl.example=127.0.0.[2;]",
        "bl.example=127.0.0.[2..]", "bl.example=127.0.0.*", "bl.example=127.0.0.[2]x"})
    EXPECT_TRUE(objection(wrong).contains("write which answers are a listing")) << wrong << ": " << objection(wrong);
}

TEST(DnsListsTest, a_number_that_no_address_has_is_named) {
  EXPECT_EQ("\"bl.example=127.0.0.[2..300]\": 300 is above 255, the highest number in an address",
            objection("bl.example=127.0.0.[2..300]"));
  EXPECT_TRUE(objection("bl.example=127.0.0.256").contains("256 is above 255"));
  EXPECT_TRUE(objection("bl.example=127.0.[0;99999].2").contains("99999 is above 255"));
  EXPECT_EQ("", objection("bl.example=127.0.0.255*1000"));
}

TEST(DnsListsTest, addresses_that_no_list_answers_are_refused) {
  for (const char* idle : {"bl.example=10.0.0.2", "bl.example=127.255.255.[0..255]", "bl.example=[126;127].0.0.2"})
    EXPECT_TRUE(objection(idle).contains("lists answer in 127.0.0.0/8")) << idle;
}

TEST(DnsListsTest, a_weight_is_a_number_that_counts) {
  EXPECT_EQ(1000, one("bl.example=127.0.0.2*1000").weight);
  EXPECT_EQ(-1000, one("bl.example=127.0.0.2*-1000").weight);
  for (const char* wrong : {"0", "-0", "1001", "-1001", "+1", "", "-", "1*2", "two"})
    EXPECT_TRUE(objection(std::string("bl.example=127.0.0.2*") + wrong).contains("a weight is")) << wrong;
}

TEST(DnsListsTest, a_zone_is_a_domain) {
  for (const char* wrong :
       {"=127.0.0.2", "example=127.0.0.2", "a..b=127.0.0.2", ".example.org=127.0.0.2", "b\374cher.example=127.0.0.2",
        "@bl.example=127.0.0.2", "a@b@bl.example=127.0.0.2", "http://bl.example=127.0.0.2"})
    EXPECT_TRUE(objection(wrong).contains("the domain of a DNS list")) << wrong << objection(wrong);
  const std::string label(63, 'a'), most = label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(189U, most.size());
  EXPECT_EQ("", objection(most + "=127.0.0.2"));
  EXPECT_NE("", objection(most + "a=127.0.0.2"));
  EXPECT_NE("", objection("a" + label + ".example=127.0.0.2"));
}

TEST(DnsListsTest, a_key_is_asked_and_never_shown) {
  const DnsList list = one("SeCret@zen.dq.spamhaus.net=127.0.0.[2..11]");
  EXPECT_EQ("secret.zen.dq.spamhaus.net", list.zone);
  EXPECT_EQ("zen.dq.spamhaus.net", list.name);
  EXPECT_TRUE(objection("secret.zen.dq.spamhaus.net=127.0.0.2").contains("write KEY@ before this zone, so that"));
  for (const char* wrong : {"secret@zen.dq.spamhaus.net", "secret@zen.dq.spamhaus.net=127.0.0.2*0", "secret@zen",
                            "secret.zen.dq.spamhaus.net", "secret.zen.dq.spamhaus.net=7",
                            "ipv4:secret@zen.example=", "ipv4:secret.zen.dq.spamhaus.net=127.0.0.2", "se cret@zen"}) {
    EXPECT_NE("", objection(wrong)) << wrong;
    EXPECT_FALSE(objection(wrong).contains("secret")) << objection(wrong);
  }
}

TEST(DnsListsTest, one_may_be_for_ipv4_alone) {
  EXPECT_TRUE(one("ipv4:bl.example=127.0.0.2").is_for_ipv4);
  EXPECT_EQ("bl.example", one("ipv4:bl.example=127.0.0.2").zone);
  EXPECT_FALSE(one("bl.example=127.0.0.2").is_for_ipv4);
}

TEST(DnsListsTest, there_are_at_most_32) {
  std::string text;
  for (int i = 0; i < 32; ++i) text += "a" + std::to_string(i) + ".example=127.0.0.2 ";
  EXPECT_EQ("", objection(text));
  EXPECT_EQ("there are more than 32 entries: leave some out", objection(text + "b.example=127.0.0.2"));
}

TEST(DnsListsTest, those_of_both_settings_know_theirs) {
  const auto both = lists_of_both(parse_dns_lists("a.example=127.0.1.2*3", ListedBy::domain).value(),
                                  parse_dns_lists("a.example=127.0.1.3 b.example=127.0.1.2", ListedBy::domain).value());
  ASSERT_EQ(3U, both.size());
  EXPECT_FALSE(both[0].is_of_helo);
  EXPECT_TRUE(both[1].is_of_helo);
  EXPECT_TRUE(both[2].is_of_helo);
}

}  // namespace
}  // namespace postern::config
