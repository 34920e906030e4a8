// RFC 4291 2.2, 2.3, 2.5.4, 2.5.5.2; RFC 4632 3.1; RFC 5952 4.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <vector>

#include "base/network.hpp"
#include "spec/limits.hpp"

namespace postern::base {
namespace {

Address address(std::string_view text) {
  const auto parsed = parse_address(text);
  if (!parsed) ADD_FAILURE() << text;
  return parsed.value_or(Address());
}
Network network(std::string_view text) {
  const auto parsed = parse_network(text);
  if (!parsed) ADD_FAILURE() << parsed.error();
  return parsed.value_or(Network({}, 0));
}
std::string text_of(const auto& value) { return std::string(write(value).view()); }
std::string problem_of(std::string_view text) {
  const auto parsed = parse_network(text);
  return parsed ? "a network" : parsed.error();
}

TEST(Network, addresses_are_read_and_written) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::ff:fe00:1"})
    EXPECT_EQ(text, text_of(address(text)));
  EXPECT_EQ("2001:db8::a", text_of(address("2001:0DB8:0:0:0:0:0:000A")));  // RFC 5952 4
  EXPECT_TRUE(address("192.0.2.1").is_ipv4());
  EXPECT_FALSE(address("::").is_ipv4());
  EXPECT_EQ(Address(), address("::"));
}

TEST(Network, what_is_no_address_is_none) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          " "sv,
                          "192.0.2"sv,
                          "192.0.2.1 "sv,
                          " 192.0.2.1"sv,
                          "192.0.2.01"sv,
                          "192.0.2.256"sv,
                          "192.0.2.1.1"sv,
                          "1"sv,
                          "0x7f.0.0.1"sv,
                          "192.0.2.1:25"sv,
                          "[::1]"sv,
                          "::1%lo"sv,
                          ":::"sv,
                          "1::2::3"sv,
                          "12345::"sv,
                          "1:2:3:4:5:6:7"sv,
                          "1:2:3:4:5:6:7:8:9"sv,
                          "192.0.2.1\0"sv,
                          "192.0.2.1\0x"sv,
                          "::1\n"sv,
                          "localhost"sv,
                          "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"sv})
    EXPECT_EQ(std::nullopt, parse_address(text)) << text;
}

TEST(Network, a_mapped_address_is_the_ipv4_address) {  // RFC 4291 2.5.5.2
  EXPECT_EQ(address("192.0.2.1"), address("::ffff:192.0.2.1"));
  EXPECT_EQ(address("192.0.2.1"), address("::ffff:c000:201"));
  EXPECT_EQ("192.0.2.1", text_of(address("::FFFF:192.0.2.1")));
  EXPECT_NE(address("192.0.2.1"), address("::192.0.2.1"));
  const Address mapped = address("::ffff:1.2.3.4");
  const std::vector<std::uint8_t> octets(mapped.octets().begin(), mapped.octets().end());
  EXPECT_EQ((std::vector<std::uint8_t>{1, 2, 3, 4}), octets);
}

TEST(Network, networks_are_read_and_written) {
  for (const char* text :
       {"0.0.0.0/0", "10.0.0.0/8", "192.0.2.128/25", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"})
    EXPECT_EQ(text, text_of(network(text)));
  EXPECT_EQ("192.0.2.1/32", text_of(network("192.0.2.1")));
  EXPECT_EQ("2001:db8::1/128", text_of(network("2001:db8::1")));
  EXPECT_EQ(network("10.0.0.0/8"), network("::ffff:10.0.0.0/104"));
  EXPECT_EQ(network("0.0.0.0/0"), network("::ffff:0:0/96"));
}

TEST(Network, a_problem_says_what_to_write) {
  EXPECT_EQ("10.0.0.1/8: has bits set after its prefix; write 10.0.0.0/8", problem_of("10.0.0.1/8"));
  EXPECT_EQ("2001:db8::1/32: has bits set after its prefix; write 2001:db8::/32", problem_of("2001:db8::1/32"));
  EXPECT_EQ("10.0.0.0/33: after the / stands a number from 0 to 32", problem_of("10.0.0.0/33"));
  EXPECT_EQ("::/129: after the / stands a number from 0 to 128", problem_of("::/129"));
  EXPECT_EQ("::ffff:0:0/95: after the / of a mapped address stands a number from 96 to 128",
            problem_of("::ffff:0:0/95"));
  EXPECT_EQ("mx: neither an IPv4 nor an IPv6 address, nor one with /BITS after it", problem_of("mx"));
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/ 8", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-1",
                           "10.0.0.0/8x", "10.0.0.0/8/8", "10/8", "10.0.0.0/4294967304", "10.0.0.0/255.0.0.0"})
    EXPECT_NE("a network", problem_of(text)) << text;
}

TEST(Network, holds_the_addresses_that_begin_alike) {
  EXPECT_TRUE(network("10.0.0.0/8").contains(address("10.255.255.255")));
  EXPECT_FALSE(network("10.0.0.0/8").contains(address("11.0.0.0")));
  EXPECT_TRUE(network("10.0.0.0/8").contains(address("::ffff:10.1.2.3")));
  EXPECT_TRUE(network("192.0.2.128/25").contains(address("192.0.2.128")));
  EXPECT_FALSE(network("192.0.2.128/25").contains(address("192.0.2.127")));
  EXPECT_TRUE(network("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(network("2001:db8::/33").contains(address("2001:db8:8000::")));
}

TEST(Network, of_all_of_one_family_none_is_of_the_other) {
  EXPECT_TRUE(network("::/0").contains(address("ffff::")));
  EXPECT_FALSE(network("::/0").contains(address("192.0.2.1")));
  EXPECT_TRUE(network("0.0.0.0/0").contains(address("192.0.2.1")));
  EXPECT_FALSE(network("0.0.0.0/0").contains(address("::1")));
  EXPECT_FALSE(network("::/64").contains(address("192.0.2.1")));
}

TEST(Network, one_host_is_one_client) {  // RFC 4291 2.5.4
  EXPECT_EQ(address("192.0.2.1"), client_of(address("192.0.2.1")));
  EXPECT_EQ(address("2001:db8:1:2::"), client_of(address("2001:db8:1:2:3:4:5:6")));
  EXPECT_EQ(24, spec::ipv4_network_bits);
  EXPECT_EQ("192.0.2.0/24", text_of(network_of(address("192.0.2.1"))));
  EXPECT_EQ(Network(address("2001:db8:1:2::3"), spec::ipv6_network_bits), network_of(address("2001:db8:1:9:3::")));
}

TEST(Network, a_client_behind_nat64_is_the_ipv4_client) {  // RFC 6052 2.1
  EXPECT_EQ(address("192.0.2.1"), client_of(address("64:ff9b::192.0.2.1")));
  EXPECT_EQ("192.0.2.0/24", text_of(network_of(address("64:ff9b::c000:201"))));
  EXPECT_EQ(address("64:ff9b:1::"), client_of(address("64:ff9b:1::192.0.2.1")));
  EXPECT_EQ(address("64:ff9b::"), client_of(address("64:ff9b::1:192.0.2.1"))) << "not of the /96";
}

TEST(Network, ends_of_connections_come_from_the_kernel) {
  sockaddr_storage name{};
  EXPECT_EQ(std::nullopt, endpoint_of(name));
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(2525);
  ipv4.sin_addr.s_addr = htonl(0xC0000201);
  std::memcpy(&name, &ipv4, sizeof ipv4);
  EXPECT_EQ("192.0.2.1:2525", text_of(endpoint_of(name).value()));
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(25);
  ipv6.sin6_addr.s6_addr[15] = 1;
  std::memcpy(&name, &ipv6, sizeof ipv6);
  EXPECT_EQ("[::1]:25", text_of(endpoint_of(name).value()));
  ipv6.sin6_addr.s6_addr[10] = ipv6.sin6_addr.s6_addr[11] = 0xFF;
  std::memcpy(&name, &ipv6, sizeof ipv6);
  EXPECT_EQ("0.0.0.1:25", text_of(endpoint_of(name).value()));
}

TEST(Network, the_longest_texts_have_room) {
  const Address longest = address("1111:2222:3333:4444:5555:6666:7777:8888");
  EXPECT_EQ("[1111:2222:3333:4444:5555:6666:7777:8888]:65535", text_of(Endpoint{longest, 65535}));
  EXPECT_EQ("1111:2222:3333:4444:5555:6666:7777:8888/128", text_of(Network(longest, 128)));
  EXPECT_EQ(128, Network(longest, 1000).bits());
  EXPECT_STREQ("255.255.255.255", write(address("255.255.255.255")).c_str());
}

}  // namespace
}  // namespace postern::base
