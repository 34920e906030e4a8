// Which servers are asked: lists that are taken, lists that are refused with a sentence, and what counts in resolv.conf.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "dns/servers.hpp"

namespace postern::dns {
namespace {

std::string said(const std::expected<Servers, std::string>& servers) {
  if (!servers) return "error: " + servers.error();
  std::string text;
  for (const base::Endpoint& one : servers->endpoints) text.append(text.empty() ? "" : " ").append(write(one).view());
  for (const std::string& remark : servers->remarks) text += "; " + remark;
  return text;
}
std::string list(std::string_view text) { return said(parse_servers(text)); }
std::string file(std::string_view text) { return said(parse_resolv_conf(text)); }

TEST(DnsServers, are_addresses_with_or_without_a_port) {
  EXPECT_EQ("127.0.0.1:5353", list("127.0.0.1:5353"));
  EXPECT_EQ("127.0.0.1:53 [::1]:53 [2001:db8::1]:5353", list(" 127.0.0.1\t[::1]  [2001:db8::1]:5353 "));
}

TEST(DnsServers, that_are_not_clear_are_refused) {
  const std::string remedy = ": write one such as 127.0.0.1, 127.0.0.1:5353 or [::1]:53";
  for (const std::string word :
       {"localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1", "::1:53", "[::1", "[::1]:", "[127.0.0.1]",
        "[127.0.0.1]:53", "127.0.0.1,127.0.0.2", "127.1", "[fe80::1%eth0]:53", "010.0.0.1", "127.0.0.1:+53"})
    EXPECT_EQ("error: \"" + word + "\" is no address of a server" + remedy, list(word));
  EXPECT_EQ("error: \"a?b\" is no address of a server" + remedy, list("a\x07"
                                                                      "b"));
  EXPECT_EQ("error: no server is named" + remedy, list(" "));
  EXPECT_EQ("error: \"127.0.0.1:0\" names port 0, which no server has", list("127.0.0.1:0"));
  EXPECT_EQ("error: \"127.0.0.1:53\" is named twice: write it once", list("127.0.0.1 127.0.0.1:53"));
  EXPECT_EQ("error: \"1.0.0.9\" is one too many: at most 8 servers are asked",
            list("1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 1.0.0.9"));
}

TEST(DnsServers, of_the_system_are_the_first_three_that_can_be_used) {
  EXPECT_EQ("10.0.0.1:53 [2001:db8::1]:53",
            file("# nameserver 10.0.0.9\n; nameserver 10.0.0.8\nsearch example.org\nnameserver 10.0.0.1\r\n"
                 "options rotate\nnameserver\t2001:db8::1  # ours\nnameserver 10.0.0.1\nnameservers 10.0.0.7"));
  EXPECT_EQ(
      "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53; line 4: nameserver \"10.0.0.4\" is left out: the first three are asked",
      file("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"));
  EXPECT_EQ("10.0.0.2:53; line 1: nameserver \"fe80::1%eth0\" is left out: it is no address that can be asked",
            file("nameserver fe80::1%eth0\nnameserver 10.0.0.2"));
}

TEST(DnsServers, of_the_system_are_not_guessed) {
  EXPECT_EQ("error: no line names a server that can be asked", file(""));
  EXPECT_EQ("error: no line names a server that can be asked", file("nameserver\nnameserver x"));
  EXPECT_EQ("error: no line names a server that can be asked", file(std::string_view("nameserver 1.1\0.1.1\n", 20)));
}

TEST(DnsServers, are_read_from_a_file) {
  const std::string path = testing::TempDir() + "dns_resolv.conf";
  std::ofstream(path) << "nameserver x\nnameserver 10.0.0.1\n";
  EXPECT_EQ("10.0.0.1:53; " + path + " line 1: nameserver \"x\" is left out: it is no address that can be asked",
            said(system_servers(path.c_str())));
  EXPECT_EQ("error: /nowhere/resolv.conf: No such file or directory", said(system_servers("/nowhere/resolv.conf")));
  EXPECT_EQ("error: /tmp: Is a directory", said(system_servers("/tmp")));
  std::ofstream(path) << std::string(70'000, '\n');
  EXPECT_EQ("error: " + path + ": larger than 64 KiB", said(system_servers(path.c_str())));
}

TEST(DnsServers, need_their_ports_for_tcp) {
  EXPECT_EQ((std::vector<std::uint16_t>{53, 5353}), tcp_ports(*parse_servers("127.0.0.1:5353 127.0.0.1 [::1]")));
}

}  // namespace
}  // namespace postern::dns
