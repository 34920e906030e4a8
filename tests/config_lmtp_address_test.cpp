// Where a mail cluster listens: three forms, and a sentence for everything else.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "config/lmtp_address.hpp"

namespace postern::config {
namespace {

template <typename Address>
Address as(const base::SocketAddress& address) {
  Address result;
  std::memcpy(&result, &address.storage, sizeof result);
  return result;
}

TEST(LmtpAddress, a_unix_socket) {
  const base::SocketAddress address = parse_lmtp_address("unix:/run/dovecot/lmtp").value();
  EXPECT_EQ(address.storage.ss_family, AF_UNIX);
  EXPECT_STREQ(static_cast<const char*>(as<sockaddr_un>(address).sun_path), "/run/dovecot/lmtp");
  EXPECT_EQ(address.text, "unix:/run/dovecot/lmtp");
  EXPECT_TRUE(parse_lmtp_address("unix:/" + std::string(106, 'x')).has_value());
}

TEST(LmtpAddress, tcp) {
  const auto v4 = as<sockaddr_in>(parse_lmtp_address("tcp:127.0.0.1:24").value());
  EXPECT_EQ(v4.sin_family, AF_INET);
  EXPECT_EQ(ntohs(v4.sin_port), 24);
  EXPECT_EQ(ntohl(v4.sin_addr.s_addr), INADDR_LOOPBACK);
  const auto v6 = as<sockaddr_in6>(parse_lmtp_address("tcp:[::1]:65535").value());
  EXPECT_EQ(v6.sin6_family, AF_INET6);
  EXPECT_EQ(ntohs(v6.sin6_port), 65535);
  EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr));
}

TEST(LmtpAddress, everything_else_is_told_with_its_remedy) {
  const std::pair<std::string, std::string> wrong[] = {
      {"", "begins with unix: or tcp:"},
      {"/run/dovecot/lmtp", "begins with unix: or tcp:"},
      {"inet:127.0.0.1:24", "begins with unix: or tcp:"},
      {" tcp:127.0.0.1:24", "begins with unix: or tcp:"},
      {"unix:run/lmtp", "begins with a slash"},
      {"unix:", "begins with a slash"},
      {"unix:@lmtp", "begins with a slash"},
      {"unix:/" + std::string(107, 'x'), "at most 107 octets"},
      {std::string("unix:/a\0b", 9), "no NUL"},
      {"tcp:127.0.0.1", "the port is missing"},
      {"tcp:[::1]", "the port is missing"},
      {"tcp:", "the port is missing"},
      {"tcp:127.0.0.1:", "\"\" is not a port"},
      {"tcp:127.0.0.1:0", "\"0\" is not a port"},
      {"tcp:127.0.0.1:65536", "\"65536\" is not a port"},
      {"tcp:127.0.0.1:lmtp", "\"lmtp\" is not a port"},
      {"tcp:127.0.0.1:24 ", "\"24 \" is not a port"},
      {"tcp:127.0.0.1:25", "port 25 is for SMTP"},  // RFC 2033 1
      {"tcp:localhost:24", "\"localhost\" is not an IP address, and names are not looked up here"},
      {"tcp:::1:24", "\"::1\" is not an IP address"},
      {"tcp:[127.0.0.1]:24", "is not an IP address"},
      {"tcp:[]:24", "is not an IP address"},
      {"tcp::24", "is not an IP address"},
      {"tcp:127.1:24", "is not an IP address"},
      {std::string("tcp:127.0.0.1\0x:24", 18), "is not an IP address"},
  };
  for (const auto& [text, sentence] : wrong) {
    const auto parsed = parse_lmtp_address(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_TRUE(parsed.error().contains(sentence)) << text << ": " << parsed.error();
  }
}

}  // namespace
}  // namespace postern::config
