#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "config/client_rules.hpp"
#include "tests/daemon_home.hpp"

namespace postern::config {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using News = ClientRules::News;
using Standing = ClientRule::Standing;
using Records = std::vector<std::pair<std::string, std::string>>;

const base::Time start{1000h};
const std::string deny = "D\0"s;

class Rules : public ::testing::Test {
 protected:
  // The key that decides, or "none".
  static std::string key_for(ClientRules& rules, const ClientName& client) {
    const ClientRule rule = rules.find(client);
    EXPECT_NE(Standing::unreadable, rule.standing);
    return rule.standing == Standing::not_found ? "none" : std::string(rule.key);
  }
  static ClientName from(std::string_view address, std::optional<std::string_view> host = {},
                         std::optional<std::string_view> info = {}) {
    return {base::parse_address(address).value(), host, info};
  }
  // Each key alone is found, and of all from here on the first.
  void expect_order(const ClientName& client, const std::vector<std::string>& keys) {
    for (std::size_t first = 0; first < keys.size(); ++first) {
      Records records, alone{{keys[first], ""}};
      for (std::size_t i = keys.size(); i > first; --i) records.emplace_back(keys[i - 1], "");
      for (const Records& each : {records, alone}) {
        home_.write_cdb("rules.cdb", each);
        ClientRules rules("rules.cdb");
        ASSERT_EQ(News::reread, rules.refresh(start)) << rules.problem();
        EXPECT_EQ(keys[first], key_for(rules, client));
      }
    }
  }

  tests::Home home_;
};

TEST_F(Rules, a_client_by_its_address_has_so_many_keys) {
  expect_order(from("192.0.2.1"),
               {"192.0.2.1", "192.0.2.", "192.0.", "192.", "_ab" + std::string(20, '0') + "w000000006",
                "_ab" + std::string(20, '0'), "_ab000000", "_ab", ""});
}

TEST_F(Rules, a_client_with_a_name_and_a_user_has_more) {
  expect_order(from("192.0.2.1", "mx.client.example", "tim"),
               {"tim@192.0.2.1", "tim@=mx.client.example", "192.0.2.1", "=mx.client.example", "192.0.2.", "192.0.",
                "192.", "_ab000000", "=.client.example", "=.example", "=", ""});
}

TEST_F(Rules, nobody_is_known_by_what_is_not_known) {
  home_.write_cdb("rules.cdb",
                  {{"=", ""}, {"@192.0.2.1", ""}, {"192.0.2", ""}, {"192.0.2.10", ""}, {"_a", ""}, {"_", ""}});
  ClientRules rules("rules.cdb");
  ASSERT_EQ(News::reread, rules.refresh(start));
  EXPECT_EQ("none", key_for(rules, from("192.0.2.1")));
  EXPECT_EQ("=", key_for(rules, from("192.0.2.1", "")));
  EXPECT_EQ("@192.0.2.1", key_for(rules, from("192.0.2.1", {}, "")));
}

TEST_F(Rules, an_ipv6_address_is_looked_for_in_three_spellings) {
  // 2001:db8::/32: 0010 0000 0000 0001 0000 1101 1011 1000
  expect_order(
      from("2001:db8::1:2"),
      {"2001:0DB8:0000:0000:0000:0000:0001:0002", "2001:0db8:0000:0000:0000:0000:0001:0002", "2001:db8::1:2",
       "2001:db8::1:", "2001:db8::", "2001:db8:", "2001:", "^00`000000000000a0000bc0de0fgh000", "^00`0", "^00", ""});
  expect_order(from("2001:db8::1", "a.example", "tim"),
               {"tim@2001:0DB8:0000:0000:0000:0000:0000:0001", "tim@2001:db8::1", "tim@=a.example", "2001:db8::1",
                "=a.example", "2001:db8:", "^00`", "=.example"});
}

TEST_F(Rules, the_longest_network_of_all_ones_has_letters_for_all) {
  std::string key = "^";
  for (int i = 0; i < 128; ++i) key += static_cast<char>(96 + i);
  expect_order(from("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), {key, "^`a"});
  expect_order(from("255.255.255.255"), {"_abcdefghijklmnopqrstuvwxyz123456", "_abcdefghijklmnopqrstuvwxyz12345"});
}

TEST_F(Rules, a_mapped_address_is_looked_for_as_ipv4) {
  expect_order(from("::ffff:192.0.2.1"), {"192.0.2.1", "192.0.2."});
}

TEST_F(Rules, a_rule_allows_or_denies) {
  home_.write_cdb(
      "rules.cdb",
      {{"192.0.2.1", deny}, {"192.0.2.2", "+RELAYCLIENT=\0"s}, {"192.0.2.3", ""}, {"192.0.2.4", "+A=1\0D\0"s}});
  ClientRules rules("rules.cdb");
  ASSERT_EQ(News::reread, rules.refresh(start));
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.1")).standing);
  EXPECT_EQ(Standing::allowed, rules.find(from("192.0.2.2")).standing);
  EXPECT_EQ("+RELAYCLIENT=\0"s, rules.find(from("192.0.2.2")).value);
  EXPECT_EQ(Standing::allowed, rules.find(from("192.0.2.3")).standing);
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.4")).standing);
  EXPECT_EQ(Standing::not_found, rules.find(from("192.0.2.5")).standing);
}

TEST_F(Rules, a_new_file_is_read_within_a_second) {
  home_.write_cdb("rules.cdb", {{"", deny}});
  ClientRules rules("rules.cdb");
  ASSERT_EQ(News::reread, rules.refresh(start));
  EXPECT_EQ(News::none, rules.refresh(start + 5s));
  home_.write_cdb("new.cdb", {{"", ""}});
  std::filesystem::rename("new.cdb", "rules.cdb");
  EXPECT_EQ(News::none, rules.refresh(start + 5999ms));
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.1")).standing);
  EXPECT_EQ(News::reread, rules.refresh(start + 6s));
  EXPECT_EQ(Standing::allowed, rules.find(from("192.0.2.1")).standing);
}

TEST_F(Rules, a_new_file_that_is_no_cdb_is_refused_once) {
  home_.write_cdb("rules.cdb", {{"", deny}});
  ClientRules rules("rules.cdb");
  ASSERT_EQ(News::reread, rules.refresh(start));
  home_.write("rules.cdb", ":allow\n");
  EXPECT_EQ(News::refused, rules.refresh(start + 1s));
  EXPECT_EQ("rules.cdb is not a cdb; make it with tcprules; the previous rules stay in use", rules.problem());
  EXPECT_EQ(News::none, rules.refresh(start + 2s));
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.1")).standing);
  std::filesystem::remove("rules.cdb");
  EXPECT_EQ(News::refused, rules.refresh(start + 3s));
  EXPECT_EQ("rules.cdb cannot be read: No such file or directory; the previous rules stay in use", rules.problem());
  EXPECT_EQ(News::none, rules.refresh(start + 4s));
  home_.write_cdb("rules.cdb", {{"", ""}});
  EXPECT_EQ(News::reread, rules.refresh(start + 5s));
  EXPECT_EQ("", rules.problem());
  EXPECT_EQ(Standing::allowed, rules.find(from("192.0.2.1")).standing);
}

TEST_F(Rules, a_file_that_could_not_be_opened_because_descriptors_were_used_up_is_tried_again) {
  home_.write_cdb("rules.cdb", {{"192.0.2.1", deny}});
  ClientRules rules("rules.cdb");
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &before));
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &none));
  EXPECT_EQ(News::refused, rules.refresh(start));
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &before));
  EXPECT_EQ(News::reread, rules.refresh(start + 1s));
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.1")).standing);
}

TEST_F(Rules, without_a_file_nobody_is_let_in) {
  ClientRules rules("absent.cdb");
  EXPECT_EQ(Standing::unreadable, rules.find(from("192.0.2.1")).standing);
  EXPECT_EQ(News::refused, rules.refresh(start));
  EXPECT_EQ("absent.cdb cannot be read: No such file or directory", rules.problem());
  EXPECT_EQ(Standing::unreadable, rules.find(from("192.0.2.1")).standing);
  ASSERT_EQ(0, ::mkfifo("fifo", 0600));
  ClientRules fifo("fifo");
  EXPECT_EQ(News::refused, fifo.refresh(start));
}

TEST_F(Rules, a_file_that_is_written_over_does_no_harm) {
  Records records{{"", deny}};
  for (int i = 0; i < 2000; ++i) records.emplace_back("10.0." + std::to_string(i), "+A=1\0"s);
  home_.write_cdb("rules.cdb", records);
  ClientRules rules("rules.cdb");
  ASSERT_EQ(News::reread, rules.refresh(start));
  std::filesystem::resize_file("rules.cdb", 0);  // as cp does before it writes
  EXPECT_EQ(Standing::denied, rules.find(from("192.0.2.1")).standing);
}

TEST_F(Rules, a_broken_file_lets_nobody_in) {
  home_.write_cdb("rules.cdb", {{"192.0.2.1", deny}});
  std::string octets = home_.read("rules.cdb");
  octets[2048 + 4] = '\xFF';  // the length of the value
  octets[2048 + 5] = '\xFF';
  home_.write("rules.cdb", octets);
  ClientRules rules("rules.cdb");
  EXPECT_EQ(News::refused, rules.refresh(start)) << "also where its header is whole";
  EXPECT_EQ(Standing::unreadable, rules.find(from("192.0.2.1")).standing);
}

}  // namespace
}  // namespace postern::config
