// Names of the wire: what is taken, what is refused, where pointers may lead; and the names of addresses.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "dns/name.hpp"

namespace postern::dns {
namespace {

std::optional<std::string> round_trip(std::string_view text) {
  const auto name = Name::of(text);
  return name ? name->text() : std::nullopt;
}

std::optional<Name> read_at(const std::vector<std::uint8_t>& message, std::size_t at, std::size_t* end = nullptr) {
  const auto name = Name::read(message, at);
  if (end != nullptr) *end = at;
  return name;
}

base::Address address(std::string_view text) { return *base::parse_address(text); }

TEST(DnsName, is_labels_in_lower_case) {
  EXPECT_EQ("2.0.0.127.zen.example", round_trip("2.0.0.127.Zen.EXAMPLE"));
  EXPECT_EQ("_dmarc.a-b.test", round_trip("_dmarc.a-b.test"));
  EXPECT_EQ(*Name::of("A.test"), *Name::of("a.TEST"));
  EXPECT_NE(*Name::of("a.test"), *Name::of("b.test"));
  const std::vector<std::uint8_t> octets{1, 'a', 4, 't', 'e', 's', 't', 0};
  EXPECT_TRUE(std::ranges::equal(octets, Name::of("a.test")->octets()));
}

TEST(DnsName, is_refused_when_it_is_none) {
  for (const std::string_view text : {"", ".", "a.", ".a", "a..b", "a b", "a\\.b", "*.test", "a/b", "caf\xc3\xa9.test"})
    EXPECT_FALSE(Name::of(text)) << text;
  EXPECT_FALSE(Name::of({"a\0b", 3}));
}

// RFC 1035 2.3.4
TEST(DnsName, has_labels_of_63_octets_and_253_in_all) {
  const std::string label(63, 'a');
  EXPECT_TRUE(Name::of(label));
  EXPECT_FALSE(Name::of(label + "a"));
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(253U, longest.size());
  EXPECT_EQ(longest, round_trip(longest));
  EXPECT_EQ(255U, Name::of(longest)->octets().size());
  EXPECT_FALSE(Name::of(longest + "a"));
  EXPECT_FALSE(Name::of("a." + longest));
}

TEST(DnsName, is_read_through_pointers_that_go_back) {
  const std::vector<std::uint8_t> message{9, 9, 1, 'b', 0, 1, 'A', 0xc0, 2, 0xc0, 5, 7};
  std::size_t end = 0;
  EXPECT_EQ(*Name::of("b"), read_at(message, 2, &end));
  EXPECT_EQ(5U, end);
  EXPECT_EQ(*Name::of("a.b"), read_at(message, 5, &end));
  EXPECT_EQ(9U, end);
  EXPECT_EQ(*Name::of("a.b"), read_at(message, 9, &end));
  EXPECT_EQ(11U, end);
}

TEST(DnsName, is_not_read_round_and_round) {
  EXPECT_FALSE(read_at({0xc0, 0}, 0));                  // at itself
  EXPECT_FALSE(read_at({0xc0, 2, 0xc0, 0}, 0));         // forward
  EXPECT_FALSE(read_at({0xc0, 2, 0xc0, 0}, 2));         // forward again, after one that goes back
  EXPECT_FALSE(read_at({1, 'a', 0xc0, 0}, 0));          // to its own beginning
  EXPECT_FALSE(read_at({1, 'a', 1, 'b', 0xc0, 2}, 0));  // into itself
}

TEST(DnsName, is_not_read_beyond_the_message) {
  const std::vector<std::uint8_t> whole{3, 'a', 'b', 'c', 0};
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_at({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, 0)) << size;
  EXPECT_FALSE(read_at({0, 0xc0}, 1));
  EXPECT_FALSE(read_at({0x40, 0}, 0));  // neither a label nor a pointer
  EXPECT_FALSE(read_at({0x80, 0}, 0));
  EXPECT_FALSE(read_at({0}, 1));
}

TEST(DnsName, of_more_than_255_octets_is_not_read) {
  std::vector<std::uint8_t> message{0};  // each label leads to the one before
  std::size_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const std::size_t at = message.size();
    message.insert(message.end(),
                   {1, 'a', static_cast<std::uint8_t>(0xc0U | last >> 8U), static_cast<std::uint8_t>(last)});
    last = at;
    EXPECT_EQ(2 * (i + 1) + 1 <= 255, read_at(message, at).has_value()) << i;
  }
}

TEST(DnsName, with_octets_of_no_host_has_no_text) {
  EXPECT_FALSE(read_at({3, 'a', '.', 'b', 0}, 0)->text());
  EXPECT_FALSE(read_at({2, 'a', 0, 0}, 0)->text());
  EXPECT_FALSE(read_at({2, '\r', '\n', 0}, 0)->text());
  EXPECT_FALSE(read_at({0}, 0)->text());  // the root
}

// RFC 5782 2.1, 2.4; RFC 3596 2.5
TEST(DnsName, of_an_address_is_its_octets_or_nibbles_backwards) {
  EXPECT_EQ("2.0.0.127", reversed(address("127.0.0.2")));
  EXPECT_EQ("4.3.2.100", reversed(address("::ffff:100.2.3.4")));
  EXPECT_EQ("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            reverse_name(address("2001:db8::567:89ab")));
  EXPECT_EQ("1.2.0.192.in-addr.arpa", reverse_name(address("192.0.2.1")));
  EXPECT_TRUE(Name::of(reverse_name(address("ff::1"))));
}

}  // namespace
}  // namespace postern::dns
