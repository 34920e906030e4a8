#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ask/dns_lists.hpp"

namespace postern::ask {
namespace {

using Kind = DnsAnswer::Kind;
using Lists = std::vector<config::DnsList>;

Lists lists_of(std::string_view text) { return config::parse_dns_lists(text).value(); }
base::Address address(std::string_view text) { return base::parse_address(text).value(); }
DnsAnswer found(std::vector<config::Ipv4Octets> addresses) {
  return {.kind = Kind::addresses, .addresses = std::move(addresses)};
}
const DnsAnswer none{.kind = Kind::none}, failed{.kind = Kind::failed};

DnsVerdict judged(std::string_view lists, const std::vector<DnsAnswer>& answers, std::uint64_t threshold = 1,
                  std::string_view client = "192.0.2.1") {
  return judge(lists_of(lists), answers, threshold, address(client));
}

TEST(DnsScoreTest, an_address_is_asked_about_backwards) {
  const Lists lists = lists_of("bl.example=127.0.0.2 ipv4:old.example=127.0.0.2 key@dq.example=127.0.0.2");
  EXPECT_EQ("1.2.0.192.bl.example", name_to_ask(lists[0], address("192.0.2.1")));
  EXPECT_EQ("1.2.0.192.bl.example", name_to_ask(lists[0], address("::ffff:192.0.2.1"))) << "v4-mapped is v4";
  EXPECT_EQ("1.2.0.192.bl.example", name_to_ask(lists[0], address("64:ff9b::192.0.2.1"))) << "behind NAT64, too";
  EXPECT_EQ("1.2.0.192.old.example", name_to_ask(lists[1], address("::ffff:192.0.2.1")));
  EXPECT_EQ("1.2.0.192.key.dq.example", name_to_ask(lists[2], address("192.0.2.1")));
  EXPECT_EQ(std::nullopt, name_to_ask(lists[1], address("2001:db8::1")));
  EXPECT_EQ("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example",
            name_to_ask(lists[0], address("2001:db8::567:89ab")));  // RFC 5782 2.4: nibbles, the last one first
}

TEST(DnsScoreTest, the_longest_name_is_one_of_dns) {
  const std::string label(63, 'a'), zone = label + "." + label + "." + std::string(61, 'a');
  EXPECT_EQ(253U, name_to_ask(lists_of(zone + "=127.0.0.2")[0], address("2001:db8::1"))->size());
}

TEST(DnsScoreTest, one_zone_is_asked_once) {
  const Lists lists =
      lists_of("ipv4:a.example=127.0.0.2 b.example=127.0.0.2 a.example=127.0.0.[3;4]*2 a.example=127.0.0.4*8");
  const auto asks = [&](std::string_view client) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < lists.size(); ++i) all.push_back(asks_for(lists, i, address(client)));
    return all;
  };
  EXPECT_EQ((std::vector<std::size_t>{0, 1, 0, 0}), asks("192.0.2.1"));
  EXPECT_EQ((std::vector<std::size_t>{0, 1, 2, 2}), asks("2001:db8::1"));
  const std::vector<DnsAnswer> answers{found({{127, 0, 0, 3}, {127, 0, 0, 4}}), none, failed, failed};
  EXPECT_EQ(10, judge(lists, answers, 1, address("192.0.2.1")).score) << "each entry counts once";
  EXPECT_EQ(0, judge(lists, answers, 1, address("2001:db8::1")).score) << "and each has what it asked for";
}

TEST(DnsScoreTest, weights_add_up_to_a_threshold) {
  constexpr std::string_view lists = "a.example=127.0.0.2*3 b.example=127.0.0.2 w.example=127.0.0.[1..3]*-2";
  const DnsAnswer yes = found({{127, 0, 0, 2}});
  EXPECT_EQ(3, judged(lists, {yes, none, none}).score);
  EXPECT_EQ("192.0.2.1 is on a.example", judged(lists, {yes, none, none}, 3).words);
  EXPECT_FALSE(judged(lists, {yes, none, none}, 4).is_listed);
  EXPECT_TRUE(judged(lists, {yes, yes, none}, 4).is_listed);
  EXPECT_EQ("192.0.2.1 is on a.example, b.example", judged(lists, {yes, yes, none}, 4).words);
  EXPECT_EQ("a.example*3 b.example*1 w.example*-2", judged(lists, {yes, yes, yes}, 4).detail);
  EXPECT_FALSE(judged(lists, {yes, yes, yes}, 4).is_listed);
  EXPECT_EQ("", judged(lists, {yes, yes, yes}, 4).words);
  EXPECT_EQ(-2, judged(lists, {none, none, yes}).score);
  EXPECT_EQ("2001:db8::1 is on b.example", judged(lists, {none, yes, none}, 1, "2001:db8::1").words);
}

// A client chooses its HELO name: to give its sender's domain there takes no listing away, and adds none that is known.
TEST(DnsScoreTest, of_a_zone_in_both_settings_an_answer_counts_as_the_heavier_one_says) {
  const Lists lists =
      config::lists_of_both(lists_of("a.example=127.0.0.2*3 a.example=127.0.0.[4..5] w.example=127.0.0.2*-2"),
                            lists_of("a.example=127.0.0.3*4 a.example=127.0.0.[2..9]*2 w.example=127.0.0.2*-1"));
  const auto score = [&](std::vector<config::Ipv4Octets> of_a, bool of_w = false) {
    std::vector<DnsAnswer> answers(lists.size(), none);
    answers[0] = found(std::move(of_a));
    if (of_w) answers[2] = found({{127, 0, 0, 2}});
    return judge(lists, answers, 1, *DnsSubject::of_domain("x.test")).score;
  };
  EXPECT_EQ(3, score({{127, 0, 0, 2}}));
  EXPECT_EQ(6, score({{127, 0, 0, 3}}));
  EXPECT_EQ(2, score({{127, 0, 0, 4}}));
  EXPECT_EQ(6, score({{127, 0, 0, 2}, {127, 0, 0, 3}}));
  EXPECT_EQ(1, score({{127, 0, 0, 2}}, true));
  EXPECT_EQ(0, score({{127, 0, 0, 77}}));
}

TEST(DnsScoreTest, what_is_no_answer_counts_nothing) {
  EXPECT_EQ(0, judged("a.example=127.0.0.[0..255]", {failed}).score);
  EXPECT_EQ(0, judged("a.example=127.0.0.[0..255]", {none}).score);
  EXPECT_EQ(0, judged("a.example=127.0.0.[0..255]", {found({})}).score);
  EXPECT_EQ(0, judged("a.example=127.0.0.[0..255]", {{.kind = Kind::failed, .addresses = {{127, 0, 0, 2}}}}).score);
  EXPECT_EQ(0, judged("a.example=127.[0..255].[0..255].[0..255]", {found({{127, 255, 255, 254}})}).score);
  EXPECT_EQ(0, judged("a.example=127.0.0.[0..255]", {found({{198, 51, 100, 7}})}).score);
}

TEST(DnsScoreTest, a_threshold_of_zero_lists_nobody) {
  EXPECT_FALSE(judged("a.example=127.0.0.2", {none}, 0).is_listed);
  EXPECT_FALSE(judged("a.example=127.0.0.2*-1", {found({{127, 0, 0, 2}})}, 0).is_listed);
}

TEST(DnsScoreTest, a_key_is_in_no_text) {
  const DnsVerdict verdict =
      judged("secret@zen.example=127.0.0.2 zen.example=127.0.0.2", {found({{127, 0, 0, 2}}), found({{127, 0, 0, 2}})});
  EXPECT_EQ("192.0.2.1 is on zen.example", verdict.words) << "and one name is there once";
  EXPECT_EQ("zen.example*1 zen.example*1", verdict.detail);
}

// RFC 5782 2.2
TEST(DnsScoreTest, a_domain_is_asked_about_as_it_is) {
  const Lists lists = config::parse_dns_lists("key@dbl.example=127.0.1.2", config::ListedBy::domain).value();
  for (const auto& [domain, name] : {std::pair{"spam.example", "spam.example"},
                                     {"A.Spam.EXAMPLE.", "a.spam.example"},
                                     {"x_1.b-2.example", "x_1.b-2.example"}}) {
    const auto subject = DnsSubject::of_domain(domain);
    ASSERT_TRUE(subject) << domain;
    EXPECT_EQ(name, subject->text());
    EXPECT_EQ(std::string(name) + ".key.dbl.example", name_to_ask(lists[0], *subject));
  }
}

TEST(DnsScoreTest, what_is_no_domain_is_not_asked_about) {
  for (const std::string& domain :
       {std::string(), std::string("."), std::string("localhost"), std::string("localhost."), std::string("192.0.2.1"),
        std::string("[192.0.2.1]"), std::string("[IPv6:2001:db8::1]"), std::string("a..example"),
        std::string(".example"), std::string("a b.example"), std::string("a.example.."),
        std::string(64, 'a') + ".example", std::string("b\xFC.example")})
    EXPECT_FALSE(DnsSubject::of_domain(domain)) << domain;
  std::string domain = "example";
  while (domain.size() < 245) domain.insert(0, "a2345678.");
  const Lists lists = lists_of("dbl.example=127.0.0.2");
  const auto subject = DnsSubject::of_domain(domain);
  ASSERT_TRUE(subject);
  EXPECT_EQ(std::nullopt, name_to_ask(lists[0], *subject)) << "more than 253 octets";
  EXPECT_EQ(0, judge(lists, std::vector<DnsAnswer>{found({{127, 0, 0, 2}})}, 1, *subject).score);
}

TEST(DnsScoreTest, lists_for_ipv4_alone_are_none_of_domains) {
  const auto lists =
      config::parse_dns_lists("a.example=127.0.0.2 ipv4:key@b.example=127.0.0.2", config::ListedBy::domain);
  ASSERT_FALSE(lists);
  EXPECT_EQ("\"b.example=127.0.0.2\": ipv4: is for lists of addresses, and this one is asked about domains",
            lists.error());
}

TEST(DnsScoreTest, a_client_and_what_it_names_add_up) {
  const DnsAnswer yes = found({{127, 0, 0, 2}});
  const auto of_domain = [&](std::string_view lists, const DnsAnswer& answer) {
    return judge(lists_of(lists), std::vector{answer}, 4, *DnsSubject::of_domain("spam.example"));
  };
  const DnsVerdict client = judged("a.example=127.0.0.2*3", {yes}, 4), sender = of_domain("dbl.example=127.0.0.2", yes),
                   good = of_domain("wl.example=127.0.0.2*-2", yes),
                   silent = of_domain("gone.example=127.0.0.2", failed);
  EXPECT_FALSE(client.is_listed || sender.is_listed);
  const DnsVerdict both = add_up(std::vector{&client, &sender, &silent}, 4);
  EXPECT_TRUE(both.is_listed);
  EXPECT_EQ(4, both.score);
  EXPECT_EQ("192.0.2.1 is on a.example, spam.example is on dbl.example", both.words);
  EXPECT_EQ("a.example*3 dbl.example*1", both.detail);
  EXPECT_FALSE(add_up(std::vector{&client, &sender, &good}, 4).is_listed);
  EXPECT_EQ("", add_up(std::vector{&client, &sender, &good}, 4).words);
  EXPECT_EQ("spam.example is on dbl.example", add_up(std::vector{&sender, &silent}, 1).words);
  EXPECT_FALSE(add_up({}, 0).is_listed);
}

// Any lists and any answers.
class RandomLists : public ::testing::Test {
 protected:
  int upto(int most) { return static_cast<int>(random_() % static_cast<unsigned>(most + 1)); }
  std::uint8_t octet() {
    return static_cast<std::uint8_t>(std::array{0, 2, 4, 255, upto(255)}[static_cast<std::size_t>(upto(4))]);
  }
  std::string octets() {
    const int first = upto(255);
    return upto(2) == 0 ? std::to_string(octet())
                        : "[" + std::to_string(first) + ".." + std::to_string(first + upto(255 - first)) + "]";
  }
  Lists lists() {
    std::string text;
    for (int i = upto(5); i >= 0; --i) {
      const std::string weight = std::to_string(1 + upto(3));
      text += std::string(upto(4) == 0 ? "ipv4:" : "") + static_cast<char>('a' + upto(3)) + ".example=127." +
              (upto(1) == 0 ? "0.0." : "[0..255].[0..255].") + octets() + "*" + (upto(2) == 0 ? "-" : "") + weight +
              " ";
    }
    return lists_of(text);
  }
  DnsAnswer answer() {
    std::vector<config::Ipv4Octets> addresses;
    for (int i = upto(3); i > 0; --i)
      addresses.push_back({static_cast<std::uint8_t>(upto(5) == 0 ? octet() : 127), octet(), octet(), octet()});
    return upto(3) == 0 ? failed : addresses.empty() ? none : found(addresses);
  }
  std::vector<DnsAnswer> answers(std::size_t count) {
    std::vector<DnsAnswer> all;
    while (all.size() < count) all.push_back(answer());
    return all;
  }
  base::Address client() { return address(upto(1) == 0 ? "192.0.2.1" : "2001:db8::1"); }

  std::mt19937 random_{20261129};
};

// By each address of each answer, from what postconf(5) says.
int naive_score(const Lists& lists, const std::vector<DnsAnswer>& answers, const base::Address& client) {
  int score = 0;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].is_for_ipv4 && client.bits() == 128) continue;
    std::size_t asker = 0;
    while (lists[asker].zone != lists[i].zone || (lists[asker].is_for_ipv4 && client.bits() == 128)) ++asker;
    int counts = 0;
    for (const auto& each : answers[asker].addresses) {
      const bool is_error = each[0] != 127 || (each[1] == 255 && each[2] == 255);
      bool is_in = true;
      for (std::size_t at = 0; at < 4; ++at) is_in = is_in && lists[i].addresses[at][each[at]];
      if (is_in && !is_error && answers[asker].kind == Kind::addresses) counts = 1;
    }
    score += counts * lists[i].weight;
  }
  return score;
}

TEST_F(RandomLists, the_score_is_the_naive_one_and_decides) {
  int listed = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Lists all = lists();
    const std::vector<DnsAnswer> said = answers(all.size());
    const base::Address from = client();
    const auto threshold = static_cast<std::uint64_t>(1 + upto(4));
    const DnsVerdict verdict = judge(all, said, threshold, from);
    ASSERT_EQ(naive_score(all, said, from), verdict.score);
    ASSERT_EQ(verdict.score >= static_cast<int>(threshold), verdict.is_listed);
    ASSERT_EQ(verdict.is_listed, !verdict.words.empty());
    listed += verdict.is_listed ? 1 : 0;
  }
  EXPECT_GT(listed, 500);
}

// No trouble of DNS refuses a client: without the lists that failed it would be refused, too.
TEST_F(RandomLists, what_failed_is_as_if_the_list_were_not_there) {
  for (int round = 0; round < 20'000; ++round) {
    const Lists all = lists();
    const base::Address from = client();
    std::vector<DnsAnswer> said = answers(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) said[i] = said[asks_for(all, i, from)];
    Lists rest;
    std::vector<DnsAnswer> said_by_rest;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (said[i].kind == Kind::failed) continue;
      rest.push_back(all[i]);
      said_by_rest.push_back(said[i]);
    }
    ASSERT_EQ(judge(all, said, 1, from).score, judge(rest, said_by_rest, 1, from).score);
    std::vector<DnsAnswer> silent(all.size());
    ASSERT_FALSE(judge(all, silent, 1, from).is_listed);
  }
}

TEST_F(RandomLists, an_error_of_a_list_refuses_nobody) {
  for (int round = 0; round < 5'000; ++round) {
    const Lists all = lists();
    std::vector<DnsAnswer> said;
    while (said.size() < all.size())
      said.push_back(found({{127, 255, 255, octet()}, {octet() == 127 ? octet() : std::uint8_t{10}, 0, 0, 2}}));
    ASSERT_EQ(0, judge(all, said, 1, client()).score);
  }
}

}  // namespace
}  // namespace postern::ask
