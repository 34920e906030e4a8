#include <gtest/gtest.h>

#include "ask/localiphost.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

class LocalIpHost : public ::testing::Test {
 protected:
  tests::Home home_;
};

// Recorded: b_rcpt_literal.
TEST_F(LocalIpHost, our_own_address_gets_our_name) {
  home_.write("control/me", "mail.example.com\n");
  EXPECT_EQ("mail.example.com", local_name_for("[127.0.0.1]", "127.0.0.1").value());
  home_.write("control/localiphost", "ip.example.com\n");
  EXPECT_EQ("ip.example.com", local_name_for("[127.0.0.1]", "127.0.0.1").value());
  EXPECT_EQ("ip.example.com", local_name_for("[127.000.00.1]", "127.0.0.1").value());
}

TEST_F(LocalIpHost, everything_else_is_left_alone) {
  home_.write("control/me", "mail.example.com\n");
  for (const char* domain : {"[127.0.0.2]", "127.0.0.1", "[127.0.0.1", "127.0.0.1]", "[127.0.0.1.]", "[127.0.0]", "[]",
                             "[", "", "[127.0.0.256]", "[0127.0.0.1]", "[127.0.0.1 ]", "[127..0.1]", "[IPv6:::1]",
                             "example.com", "[127.0.0.1.1]", "[4294967423.0.0.1]"})
    EXPECT_EQ(std::nullopt, local_name_for(domain, "127.0.0.1").value()) << domain;
  for (const char* unknown : {"", "unknown", "::1", "::ffff:127.0.0.1"})
    EXPECT_EQ(std::nullopt, local_name_for("[127.0.0.1]", unknown).value()) << unknown;
}

TEST_F(LocalIpHost, without_a_name_it_is_left_alone) {
  EXPECT_EQ(std::nullopt, local_name_for("[127.0.0.1]", "127.0.0.1").value());
}

TEST_F(LocalIpHost, a_file_that_cannot_be_read_matters_only_for_our_own_address) {
  home_.write_unreadable("control/localiphost");
  EXPECT_EQ(EISDIR, local_name_for("[127.0.0.1]", "127.0.0.1").error().error_number);
  EXPECT_TRUE(local_name_for("[127.0.0.2]", "127.0.0.1").has_value());
}

}  // namespace
}  // namespace postern::ask
