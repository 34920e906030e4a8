#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "config/settings_env.hpp"

namespace postern::config {
namespace {

constexpr std::string_view origin = "the environment";

// NAME=VALUE strings as a process finds them.
class Variables {
 public:
  Variables(std::initializer_list<std::string> texts) : texts_(texts) {
    for (const std::string& text : texts_) pointers_.push_back(text.c_str());
    pointers_.push_back(nullptr);
  }
  [[nodiscard]] base::Environment get() const { return base::Environment(pointers_.data()); }

 private:
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

TEST(Settings, a_variable_is_found_by_its_whole_name) {
  const Variables variables{"SSLX=1", "XSSL=1", "SSL", "SSL=first", "SSL=second", "EMPTY="};
  EXPECT_EQ("first", variables.get().find("SSL"));
  EXPECT_EQ("", variables.get().find("EMPTY"));
  EXPECT_EQ(std::nullopt, variables.get().find("SS"));
  EXPECT_EQ(std::nullopt, base::Environment(nullptr).find("SSL"));
}

TEST(Settings, unset_and_empty_are_no_value) {
  for (const Variables& variables :
       {Variables{},
        Variables{"SSL=", "FORCE_TLS=", "DENY_TLS=", "AUTH=", "REQUIRE_AUTH=", "ALLOW_INSECURE_AUTH=", "PORT="}}) {
    const auto settings = read_settings(variables.get(), origin);
    EXPECT_TRUE(settings.problems.empty());
    for (const auto& setting : {settings.ssl, settings.force_tls, settings.deny_tls, settings.auth,
                                settings.require_auth, settings.allow_insecure_auth})
      EXPECT_EQ(std::nullopt, setting);
    EXPECT_EQ(std::nullopt, settings.port);
  }
}

TEST(Settings, zero_and_one_are_read_for_each) {
  const Variables variables{"SSL=0",          "FORCE_TLS=1",           "DENY_TLS=0", "AUTH=1",
                            "REQUIRE_AUTH=0", "ALLOW_INSECURE_AUTH=1", "PORT=587"};
  const auto settings = read_settings(variables.get(), origin);
  EXPECT_TRUE(settings.problems.empty());
  EXPECT_EQ(false, settings.ssl);
  EXPECT_EQ(true, settings.force_tls);
  EXPECT_EQ(false, settings.deny_tls);
  EXPECT_EQ(true, settings.auth);
  EXPECT_EQ(false, settings.require_auth);
  EXPECT_EQ(true, settings.allow_insecure_auth);
  EXPECT_EQ(587, settings.port);
}

// deviation D11; recorded otherwise: x:FORCE_TLS=...
TEST(Settings, anything_else_is_named_with_value_origin_and_what_is_allowed) {
  for (const std::string value : {"yes", "O", " 1", "-1", "01", "2", "+1", "1x", "0x1", "1 ", "00", "true"}) {
    const Variables variables{"SSL=" + value};
    const auto settings = read_settings(variables.get(), origin);
    EXPECT_EQ(std::nullopt, settings.ssl);
    ASSERT_EQ(1U, settings.problems.size()) << value;
    EXPECT_EQ("SSL=\"" + value + "\" in the environment: only 0 and 1 are allowed (unset or empty means 0)",
              describe(settings.problems[0]));
  }
  const Variables auth{"AUTH=yes"};
  EXPECT_EQ(
      "AUTH=\"yes\" in the environment: only 0 and 1 are allowed (unset or empty means 1 with an AUTH backend, else 0)",
      describe(read_settings(auth.get(), origin).problems.at(0)));
}

TEST(Settings, all_problems_are_told_at_once) {
  const Variables variables{"SSL=O", "FORCE_TLS=yes", "DENY_TLS=1", "PORT=smtp"};
  const auto settings = read_settings(variables.get(), "listener mx");
  ASSERT_EQ(3U, settings.problems.size());
  EXPECT_EQ("PORT=\"smtp\" in listener mx: only a number from 1 to 65535 is allowed (unset or empty means 25)",
            describe(settings.problems[0]));
  EXPECT_EQ("SSL", settings.problems[1].name);
  EXPECT_EQ("FORCE_TLS", settings.problems[2].name);
  EXPECT_EQ(true, settings.deny_tls);
}

TEST(Settings, a_port_is_1_to_65535) {
  for (const std::string value : {"0", "65536", "-25", "25x", "0x19", "99999999999999999999"}) {
    const Variables variables{"PORT=" + value};
    EXPECT_EQ(1U, read_settings(variables.get(), origin).problems.size()) << value;
  }
  const Variables variables{"PORT=65535"};
  EXPECT_EQ(65535, read_settings(variables.get(), origin).port);
}

TEST(Numbers, each_is_read) {
  const Variables variables{"DATABYTES=10000000", "MAXRCPT=250", "GREETDELAY=3600", "DROP_PRE_GREET=1"};
  const auto numbers = read_numbers(variables.get(), origin);
  EXPECT_TRUE(numbers.problems.empty());
  EXPECT_EQ(10000000U, numbers.databytes);
  EXPECT_EQ(250U, numbers.max_recipients);
  EXPECT_EQ(3600U, numbers.greet_delay_seconds);
  EXPECT_EQ(true, numbers.drop_pre_greet);
}

TEST(Numbers, unset_and_empty_are_no_value) {
  for (const Variables& variables :
       {Variables{}, Variables{"DATABYTES=", "MAXRCPT=", "GREETDELAY=", "DROP_PRE_GREET="}}) {
    const auto numbers = read_numbers(variables.get(), origin);
    EXPECT_TRUE(numbers.problems.empty());
    EXPECT_EQ(std::nullopt, numbers.databytes);
    EXPECT_EQ(std::nullopt, numbers.max_recipients);
    EXPECT_EQ(std::nullopt, numbers.greet_delay_seconds);
    EXPECT_EQ(std::nullopt, numbers.drop_pre_greet);
  }
}

// recorded: f_maxrcpt (MAXRCPT=5 allows 100)
TEST(Numbers, a_small_maxrcpt_becomes_100_and_zero_is_none) {
  const std::pair<const char*, std::optional<std::uint32_t>> cases[] = {
      {"MAXRCPT=0", std::nullopt}, {"MAXRCPT=1", 100}, {"MAXRCPT=99", 100}, {"MAXRCPT=100", 100}, {"MAXRCPT=101", 101}};
  for (const auto& [text, expected] : cases) {
    const Variables variables{text};
    EXPECT_EQ(expected, read_numbers(variables.get(), origin).max_recipients) << text;
  }
}

// deviation D11; recorded otherwise: f_databytes_bad
TEST(Numbers, what_is_not_allowed_is_a_problem) {
  for (const char* text : {"DATABYTES=10k", "DATABYTES=18446744073709551616", "MAXRCPT=-1", "MAXRCPT=4294967296",
                           "GREETDELAY=3601", "GREETDELAY=1s", "DROP_PRE_GREET=2", "DROP_PRE_GREET=yes"}) {
    const Variables variables{text};
    EXPECT_EQ(1U, read_numbers(variables.get(), origin).problems.size()) << text;
  }
  const Variables variables{"GREETDELAY=2h"};
  EXPECT_EQ("GREETDELAY=\"2h\" in the environment: only a number from 0 to 3600 is allowed (unset or empty means 0)",
            describe(read_numbers(variables.get(), origin).problems.at(0)));
}

// qmail-control(5): timeoutsmtpd
TEST(Numbers, a_timeout_is_at_least_a_second) {
  EXPECT_EQ(1200U, timeout_seconds(std::nullopt));
  EXPECT_EQ(1U, timeout_seconds(0));
  EXPECT_EQ(1U, timeout_seconds(1));
  EXPECT_EQ(60U, timeout_seconds(60));
  EXPECT_EQ(4294967295U, timeout_seconds(18446744073709551615ULL));
}

}  // namespace
}  // namespace postern::config
