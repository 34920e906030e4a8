#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "config/settings_env.hpp"
#include "config/variables.hpp"

namespace postern::config {
namespace {

using spec::Option;
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
    const auto settings = read_variables(variables.get(), origin);
    EXPECT_TRUE(settings.problems().empty());
    for (const spec::SettingOption& setting : spec::setting_options)
      EXPECT_EQ(std::nullopt, settings.flag(setting.option));
    EXPECT_EQ(std::nullopt, settings.number(Option::PORT));
  }
}

TEST(Settings, who_writes_anything_but_0_into_ssl_has_clients_that_begin_with_tls) {
  for (const std::string value : {"yes", "2", "O", " 1", "no"}) {
    const Variables variables{"SSL=" + value, "AUTH=" + value};
    const auto settings = read_variables(variables.get(), origin);
    EXPECT_EQ(2U, settings.problems().size());
    const GivenSettings given = given_settings(settings);
    EXPECT_EQ(spec::bit::SSL, given.values) << value << ": no other setting is on where it cannot be read";
    EXPECT_EQ(spec::bit::SSL | spec::bit::AUTH, given.bits);
    EXPECT_TRUE(is_tls_first(value));
  }
  EXPECT_TRUE(is_tls_first("1"));
  EXPECT_FALSE(is_tls_first("0"));
  EXPECT_FALSE(is_tls_first(""));
}

TEST(Settings, zero_and_one_are_read_for_each) {
  const Variables variables{"SSL=0",          "FORCE_TLS=1",           "DENY_TLS=0", "AUTH=1",
                            "REQUIRE_AUTH=0", "ALLOW_INSECURE_AUTH=1", "PORT=587"};
  const auto settings = read_variables(variables.get(), origin);
  EXPECT_TRUE(settings.problems().empty());
  EXPECT_EQ(false, settings.flag(Option::SSL));
  EXPECT_EQ(true, settings.flag(Option::FORCE_TLS));
  EXPECT_EQ(false, settings.flag(Option::DENY_TLS));
  EXPECT_EQ(true, settings.flag(Option::AUTH));
  EXPECT_EQ(false, settings.flag(Option::REQUIRE_AUTH));
  EXPECT_EQ(true, settings.flag(Option::ALLOW_INSECURE_AUTH));
  EXPECT_EQ(587, settings.number(Option::PORT));
}

// deviation D11; recorded otherwise: x:FORCE_TLS=...
TEST(Settings, anything_else_is_named_with_value_origin_and_what_is_allowed) {
  for (const std::string value : {"yes", "O", " 1", "-1", "01", "2", "+1", "1x", "0x1", "1 ", "00", "true"}) {
    const Variables variables{"SSL=" + value};
    const auto settings = read_variables(variables.get(), origin);
    EXPECT_EQ(std::nullopt, settings.flag(Option::SSL));
    ASSERT_EQ(1U, settings.problems().size()) << value;
    EXPECT_EQ("SSL=\"" + value + "\" in the environment: only 0 and 1 are allowed (unset or empty means 0)",
              describe(settings.problems()[0]));
  }
  const Variables auth{"AUTH=yes"};
  EXPECT_EQ(
      "AUTH=\"yes\" in the environment: only 0 and 1 are allowed (unset or empty means 1 with an AUTH backend, else 0)",
      describe(read_variables(auth.get(), origin).problems().at(0)));
}

TEST(Settings, all_problems_are_told_at_once) {
  const Variables variables{"SSL=O", "FORCE_TLS=yes", "DENY_TLS=1", "PORT=smtp"};
  const auto settings = read_variables(variables.get(), "listener mx");
  ASSERT_EQ(3U, settings.problems().size());
  EXPECT_EQ("PORT=\"smtp\" in listener mx: only a number from 1 to 65535 is allowed (unset or empty means 25)",
            describe(settings.problems()[0]));
  EXPECT_EQ("SSL", settings.problems()[1].name);
  EXPECT_EQ("FORCE_TLS", settings.problems()[2].name);
  EXPECT_EQ(true, settings.flag(Option::DENY_TLS));
}

TEST(Settings, a_port_is_1_to_65535) {
  for (const std::string value : {"0", "65536", "-25", "25x", "0x19", "99999999999999999999"}) {
    const Variables variables{"PORT=" + value};
    EXPECT_EQ(1U, read_variables(variables.get(), origin).problems().size()) << value;
  }
  const Variables variables{"PORT=65535"};
  EXPECT_EQ(65535, read_variables(variables.get(), origin).number(Option::PORT));
}

TEST(Numbers, each_is_read) {
  const Variables variables{"DATABYTES=10000000", "MAXRCPT=250", "GREETDELAY=3600", "DROP_PRE_GREET=1"};
  const auto numbers = read_variables(variables.get(), origin);
  EXPECT_TRUE(numbers.problems().empty());
  EXPECT_EQ(10000000U, numbers.number(Option::DATABYTES));
  EXPECT_EQ(250U, numbers.number(Option::MAXRCPT));
  EXPECT_EQ(3600U, numbers.number(Option::GREETDELAY));
  EXPECT_EQ(true, numbers.flag(Option::DROP_PRE_GREET));
}

TEST(Numbers, unset_and_empty_are_no_value) {
  for (const Variables& variables :
       {Variables{}, Variables{"DATABYTES=", "MAXRCPT=", "GREETDELAY=", "DROP_PRE_GREET="}}) {
    const auto numbers = read_variables(variables.get(), origin);
    EXPECT_TRUE(numbers.problems().empty());
    EXPECT_EQ(std::nullopt, numbers.number(Option::DATABYTES));
    EXPECT_EQ(std::nullopt, numbers.number(Option::MAXRCPT));
    EXPECT_EQ(std::nullopt, numbers.number(Option::GREETDELAY));
    EXPECT_EQ(std::nullopt, numbers.flag(Option::DROP_PRE_GREET));
  }
}

// recorded: f_maxrcpt (MAXRCPT=5 allows 100)
TEST(Numbers, a_small_maxrcpt_becomes_100_and_zero_is_none) {
  const std::pair<const char*, std::optional<std::uint32_t>> cases[] = {
      {"MAXRCPT=0", std::nullopt}, {"MAXRCPT=1", 100}, {"MAXRCPT=99", 100}, {"MAXRCPT=100", 100}, {"MAXRCPT=101", 101}};
  for (const auto& [text, expected] : cases) {
    const Variables variables{text};
    EXPECT_EQ(expected, least_recipients(read_number(variables.get(), Option::MAXRCPT))) << text;
  }
}

// deviation D11; recorded otherwise: f_databytes_bad
TEST(Numbers, what_is_not_allowed_is_a_problem) {
  for (const char* text : {"DATABYTES=10k", "DATABYTES=18446744073709551616", "MAXRCPT=-1", "MAXRCPT=4294967296",
                           "GREETDELAY=3601", "GREETDELAY=1s", "DROP_PRE_GREET=2", "DROP_PRE_GREET=yes"}) {
    const Variables variables{text};
    EXPECT_EQ(1U, read_variables(variables.get(), origin).problems().size()) << text;
  }
  const Variables variables{"GREETDELAY=2h"};
  EXPECT_EQ("GREETDELAY=\"2h\" in the environment: only a number from 0 to 3600 is allowed (unset or empty means 0)",
            describe(read_variables(variables.get(), origin).problems().at(0)));
}

// The names that begin like one of ours are looked at, and no others.
TEST(Names, one_that_is_nearly_ours_is_found_in_an_environment) {
  const Variables variables{"FORCE_TSL=1",    "force_tls=1",  "SSL=1",
                            "SSL_CIPHER=x",   "PATH=/bin",    "TCPREMOTEIP=1",
                            "POSTERN_HOME=/", "AUTH_SET_X=1", "POSTERN_MALIDIR=m",
                            "WHITELISTED=1",  "SS",           "=x"};
  EXPECT_EQ(misspellings_in(variables.get()),
            (std::vector<std::string>{"FORCE_TSL is not a variable: did you mean FORCE_TLS?",
                                      "force_tls is not a variable: did you mean FORCE_TLS?",
                                      "POSTERN_MALIDIR is not a variable: did you mean POSTERN_MAILDIR?"}));
}

// The three readers ask the same row: what one of them refuses, all do.
TEST(Options, each_has_a_range_or_a_kind_that_refuses_something) {
  for (const spec::OptionRow& row : spec::option_rows()) {
    if (!row.may_stand_in(spec::Place::environment)) continue;
    const bool is_judged_elsewhere = row.kind == spec::OptionKind::reply || row.kind == spec::OptionKind::dns_lists;
    EXPECT_EQ(objection_to(row, "a\rb").has_value(), !is_judged_elsewhere) << name_of(row);
    EXPECT_EQ(objection_to(row, ""), std::nullopt) << name_of(row);
    EXPECT_EQ(&row, &spec::row_of(option_of(row)));
  }
}

TEST(Options, the_ends_of_each_range_are_in_it) {
  for (const spec::OptionRow& row : spec::option_rows()) {
    if (row.kind != spec::OptionKind::number) continue;
    EXPECT_EQ(objection_to(row, std::to_string(row.least)), std::nullopt) << name_of(row);
    EXPECT_EQ(objection_to(row, std::to_string(row.most)), std::nullopt) << name_of(row);
    if (row.least > 0) {
      EXPECT_TRUE(objection_to(row, std::to_string(row.least - 1))) << name_of(row);
    }
    if (row.most + 1 != 0) {
      EXPECT_TRUE(objection_to(row, std::to_string(row.most + 1))) << name_of(row);
    }
  }
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
