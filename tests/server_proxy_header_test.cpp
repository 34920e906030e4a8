// proxy-protocol.txt 2.1, 2.2.
#include <gtest/gtest.h>

#include <string>

#include "server/client/proxy_header.hpp"
#include "testing/guard_page.hpp"

namespace postern::server {
namespace {

using namespace std::string_literals;
using Kind = ProxyHeader::Kind;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string block(char command, char family, const std::string& octets) {
  return signature + command + family + static_cast<char>(octets.size() >> 8U) +
         static_cast<char>(octets.size() & 0xFFU) + octets;
}
const std::string ipv4_addresses = "\xC0\0\2\1\xC0\0\2\x19\x30\x39\0\x19"s;
const std::string ipv6_addresses =
    "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\1\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\2\xFF\xFF\0\0"s;

// Of the whole, and of every part of it: partial, or what the whole says. Octets lie before an unreadable page.
ProxyHeader parse(const std::string& octets) {
  static testing::GuardedOctets guarded(8192);
  const ProxyHeader whole = parse_proxy_header(guarded.before_guard(octets));
  for (std::size_t cut = 0; cut < octets.size(); ++cut) {
    const ProxyHeader part = parse_proxy_header(guarded.before_guard(std::string_view(octets).substr(0, cut)));
    EXPECT_TRUE(part.kind == Kind::partial || part == whole) << "cut at " << cut;
    EXPECT_TRUE(cut >= whole.consumed || part.kind == Kind::partial) << "cut at " << cut;
  }
  return whole;
}
std::string shown(const ProxyHeader& header) {
  return std::string(base::write(header.source).view()) + " " + std::string(base::write(header.destination).view());
}
ProxyProblem problem_of(const std::string& octets) {
  const ProxyHeader header = parse(octets);
  EXPECT_EQ(Kind::malformed, header.kind) << octets;
  EXPECT_FALSE(describe(header.problem).empty());
  EXPECT_EQ(0, header.consumed);
  return header.problem;
}
void expect_no_address(const std::string& octets, std::size_t consumed) {
  const ProxyHeader header = parse(octets);
  EXPECT_EQ(Kind::no_address, header.kind) << octets;
  EXPECT_EQ(consumed, header.consumed);
}

TEST(ProxyHeader, a_line_names_both_ends) {
  const std::string line = "PROXY TCP4 192.0.2.1 192.0.2.25 12345 25\r\n";
  const ProxyHeader header = parse(line + "EHLO client.example\r\n");
  EXPECT_EQ(Kind::proxied, header.kind);
  EXPECT_EQ(line.size(), header.consumed);
  EXPECT_EQ("192.0.2.1:12345 192.0.2.25:25", shown(header));
  EXPECT_EQ("[2001:db8::1]:65535 [2001:db8::2]:0", shown(parse("PROXY TCP6 2001:db8::1 2001:DB8::2 65535 0\r\n")));
  // haproxy writes so of IPv4 on a socket of both families
  EXPECT_EQ("192.0.2.1:1 192.0.2.2:2", shown(parse("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n")));
}

TEST(ProxyHeader, of_the_unknown_the_rest_is_no_matter) {
  expect_no_address("PROXY UNKNOWN\r\nEHLO", 15);
  expect_no_address("PROXY UNKNOWN ffff::1 nonsense \x01\xFF 99999\r\n", 41);
  const std::string longest = "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535";
  expect_no_address(longest + std::string(105 - longest.size(), ' ') + "\r\n", 107);
  EXPECT_EQ(ProxyProblem::too_long, problem_of(longest + std::string(106 - longest.size(), ' ') + "\r\n"));
}

TEST(ProxyHeader, what_begins_otherwise_is_none) {
  for (const char* octets : {"EHLO client.example\r\n", "proxy TCP4", "PROXY\tTCP4", "PROXYTCP4", " PROXY", "\r\nPROXY",
                             "\r\n\r\n\r\n", "\x16\x03\x01"})
    EXPECT_EQ(ProxyProblem::not_a_header, problem_of(octets));
}

TEST(ProxyHeader, a_line_is_not_waited_for_without_end) {
  EXPECT_EQ(Kind::partial, parse("").kind);
  EXPECT_EQ(Kind::partial, parse("PROXY TCP4 " + std::string(95, '1')).kind);
  EXPECT_EQ(ProxyProblem::too_long, problem_of("PROXY TCP4 " + std::string(96, '1')));
}

TEST(ProxyHeader, a_line_ends_with_crlf_only) {
  EXPECT_EQ(ProxyProblem::bad_line_end, problem_of("PROXY UNKNOWN\n"));
  EXPECT_EQ(ProxyProblem::bad_line_end, problem_of("PROXY UNKNOWN\rx\r\n"));
  EXPECT_EQ(ProxyProblem::bad_line_end, problem_of("PROXY UNKNOWN x\nEHLO y\r\n"));
  EXPECT_EQ(Kind::partial, parse("PROXY UNKNOWN\r").kind);
}

TEST(ProxyHeader, a_line_is_read_strictly) {
  for (const char* line : {"PROXY \r\n", "PROXY UNKNOWNX\r\n", "PROXY TCP4\r\n", "PROXY TCP 1.1.1.1 1.1.1.1 1 1\r\n",
                           "PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
                           "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n",
                           "PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n"})
    EXPECT_EQ(ProxyProblem::bad_line, problem_of(line));
  for (const char* line :
       {"PROXY TCP4 ::1 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 ::1 1 1\r\n", "PROXY TCP6 1.1.1.1 ::1 1 1\r\n",
        "PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4  1.1.1.1 1 1\r\n",
        "PROXY TCP4 1.1.1.1\t1.1.1.1 1 1 1\r\n"})
    EXPECT_EQ(ProxyProblem::bad_address, problem_of(line));
  for (const char* port : {"65536", "00", "01", "-1", "+1", "1x", "0x1", "99999999999999999999"}) {
    EXPECT_EQ(ProxyProblem::bad_port, problem_of("PROXY TCP4 1.1.1.1 1.1.1.1 1 "s + port + "\r\n"));
    EXPECT_EQ(ProxyProblem::bad_port, problem_of("PROXY TCP4 1.1.1.1 1.1.1.1 "s + port + " 1\r\n"));
  }
  EXPECT_EQ(ProxyProblem::bad_port, problem_of("PROXY TCP4 1.1.1.1 1.1.1.1 1 \r\n"));
}

TEST(ProxyHeader, a_block_names_both_ends) {
  const ProxyHeader header = parse(block('\x21', '\x11', ipv4_addresses) + "EHLO client.example\r\n");
  EXPECT_EQ(Kind::proxied, header.kind);
  EXPECT_EQ(28, header.consumed);
  EXPECT_EQ("192.0.2.1:12345 192.0.2.25:25", shown(header));
  EXPECT_EQ("[2001:db8::1]:65535 [2001:db8::2]:0", shown(parse(block('\x21', '\x21', ipv6_addresses))));
}

TEST(ProxyHeader, what_else_a_block_tells_is_skipped) {
  const ProxyHeader header = parse(block('\x21', '\x11', ipv4_addresses + "\x03\0\4\1\2\3\4\x20\xFF\xFF"s) + "x");
  EXPECT_EQ(38, header.consumed);
  EXPECT_EQ("192.0.2.1:12345 192.0.2.25:25", shown(header));
  EXPECT_EQ(16 + 1024, parse(block('\x21', '\x11', ipv4_addresses + std::string(1012, '\0'))).consumed);
  EXPECT_EQ(ProxyProblem::too_long, problem_of(block('\x21', '\x11', ipv4_addresses + std::string(1013, '\0'))));
}

TEST(ProxyHeader, a_block_without_an_ip_address_has_none) {
  expect_no_address(block('\x20', '\0', ""), 16);
  expect_no_address(block('\x20', '\x11', ipv4_addresses), 28);  // LOCAL: addresses are to be discarded
  expect_no_address(block('\x20', '\xFF', "junk"), 20);
  expect_no_address(block('\x21', '\0', "junk"), 20);
  expect_no_address(block('\x21', '\x31', std::string(216, '/')), 232);
  expect_no_address(block('\x21', '\x32', std::string(216, '/')), 232);
  expect_no_address(block('\x21', '\x12', ipv4_addresses), 28);
  expect_no_address(block('\x21', '\x22', ipv6_addresses), 52);
}

TEST(ProxyHeader, a_block_is_read_strictly) {
  for (const char command : {'\0', '\1', '\x10', '\x11', '\x22', '\x2F', '\x31', '\xF1'})
    EXPECT_EQ(ProxyProblem::bad_version, problem_of(block(command, '\x11', ipv4_addresses)));
  for (const char family : {'\x01', '\x10', '\x13', '\x20', '\x23', '\x30', '\x33', '\x41', '\xFF'})
    EXPECT_EQ(ProxyProblem::bad_family, problem_of(block('\x21', family, ipv6_addresses)));
  EXPECT_EQ(ProxyProblem::too_short, problem_of(block('\x21', '\x11', ipv4_addresses.substr(1))));
  EXPECT_EQ(ProxyProblem::too_short, problem_of(block('\x21', '\x21', ipv6_addresses.substr(1))));
  EXPECT_EQ(ProxyProblem::too_short, problem_of(block('\x21', '\x31', std::string(215, '/'))));
  EXPECT_EQ(ProxyProblem::too_short, problem_of(block('\x21', '\x11', "")));
  EXPECT_EQ(Kind::partial, parse(block('\x21', '\x11', ipv4_addresses).substr(0, 27)).kind);
}

}  // namespace
}  // namespace postern::server
