// The trace fields, octet for octet as recorded from the original, and as the RFCs have it where we say more.
#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>

#include "deliver/received.hpp"

namespace postern::deliver {
namespace {

using Greeting = engine::SessionTrace::Greeting;

TraceFacts recorded_client() {
  return {
      .remote_host = {},
      .remote_info = {},
      .remote_ip = "127.0.0.1",
      .local_host = "mail.example.com",
      .session = {.helo = "client.example", .greeting = Greeting::helo, .has_tls = false, .is_authenticated = false},
      .tls_version = {},
      .tls_cipher = {}};
}

std::string protocol_of(const TraceFacts& facts) {
  const std::string field = received_field(facts, {.unix_time = 0});
  const std::size_t begin = field.find(" with ") + 6;
  return field.substr(begin, field.find("; ") - begin);
}

TEST(Received, has_the_shape_of_the_original) {
  EXPECT_EQ(received_field(recorded_client(), {.unix_time = 1700000000, .number = 4711000007}),
            "Received: from unknown (HELO client.example) (127.0.0.1)\n"
            "  by mail.example.com with SMTP id 1700000000-4711000007; 14 Nov 2023 22:13:20 -0000\n");
}

TEST(Received, without_a_greeting_has_no_helo) {
  TraceFacts facts = recorded_client();
  facts.session.greeting = Greeting::none;
  EXPECT_EQ(received_field(facts, {.unix_time = 0}),
            "Received: from unknown (127.0.0.1)\n  by mail.example.com with SMTP; 1 Jan 1970 00:00:00 -0000\n");
}

TEST(Received, names_the_helo_only_when_it_differs_from_the_host) {
  TraceFacts facts = recorded_client();
  facts.remote_host = "Client.Example";
  EXPECT_TRUE(received_field(facts, {.unix_time = 0}).starts_with("Received: from Client.Example (127.0.0.1)\n"));
  facts.session.helo = "other.example";
  EXPECT_TRUE(received_field(facts, {.unix_time = 0})
                  .starts_with("Received: from Client.Example (HELO other.example) (127.0.0.1)\n"));
}

TEST(Received, names_who_authenticated) {
  TraceFacts facts = recorded_client();
  facts.remote_info = "alice";
  EXPECT_TRUE(received_field(facts, {.unix_time = 0}).contains(" (alice@127.0.0.1)\n"));
}

// Recorded session e_received_chars; qmail-smtpd: safeput.
TEST(Received, replaces_what_is_not_surely_harmless) {
  TraceFacts facts = recorded_client();
  facts.session.helo = "a b(c)<x>;\xe9 [1.2.3.4]_\x01";
  facts.remote_info = "id (x)\t<y>";
  EXPECT_TRUE(received_field(facts, {.unix_time = 0})
                  .starts_with("Received: from unknown (HELO a?b?c??x?????1.2.3.4???"
                               ") (id??x???y?@127.0.0.1)\n"));
}

TEST(Received, lets_exactly_the_safe_octets_pass) {
  for (int octet = 0; octet < 256; ++octet) {
    const char c = static_cast<char>(octet);
    TraceFacts facts = recorded_client();
    facts.session.helo = std::string_view(&c, 1);
    const bool is_safe =
        std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@%+/=:-").contains(c);
    EXPECT_TRUE(received_field(facts, {.unix_time = 0}).contains(std::string(" (HELO ") + (is_safe ? c : '?') + ") "))
        << octet;
  }
}

// RFC 3848
TEST(Received, says_how_it_came) {
  TraceFacts facts = recorded_client();
  facts.session.greeting = Greeting::ehlo;
  EXPECT_EQ(protocol_of(facts), "ESMTP");
  facts.session.is_authenticated = true;
  EXPECT_EQ(protocol_of(facts), "ESMTPA");
  facts.session.has_tls = true;
  facts.tls_version = "TLSv1.3";
  facts.tls_cipher = "TLS_AES_256_GCM_SHA384";
  EXPECT_EQ(protocol_of(facts), "ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)");
  facts.session.is_authenticated = false;
  EXPECT_EQ(protocol_of(facts), "ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)");
  facts.session.greeting = Greeting::helo;
  EXPECT_EQ(protocol_of(facts), "SMTP (TLSv1.3 TLS_AES_256_GCM_SHA384)");
  facts.tls_version = {};
  EXPECT_EQ(protocol_of(facts), "SMTP");
}

// RFC 5322 2.1.1
TEST(Received, has_no_line_of_998_octets) {
  const std::string long_name(5000, 'x');
  const TraceFacts facts{.remote_host = long_name,
                         .remote_info = long_name,
                         .remote_ip = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                         .local_host = long_name,
                         .session = {.helo = std::string_view(long_name).substr(1),
                                     .greeting = Greeting::ehlo,
                                     .has_tls = true,
                                     .is_authenticated = true},
                         .tls_version = long_name,
                         .tls_cipher = long_name};
  const std::string field = received_field(facts, {.unix_time = 253402300799});
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = field.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LT(end - begin, 998U);
  EXPECT_EQ(begin, field.size());
}

// RFC 5321 4.4
TEST(ReturnPath, holds_the_reverse_path) {
  EXPECT_EQ(return_path_field(""), "Return-Path: <>\n");
  EXPECT_EQ(return_path_field("a.b+c@client.example"), "Return-Path: <a.b+c@client.example>\n");
  EXPECT_EQ(return_path_field("postmaster"), "Return-Path: <postmaster>\n");
}

// RFC 5321 4.1.2
TEST(ReturnPath, quotes_what_is_no_dot_string) {
  EXPECT_EQ(return_path_field("a b@client.example"), "Return-Path: <\"a b\"@client.example>\n");
  EXPECT_EQ(return_path_field("a\"\\b@client.example"), "Return-Path: <\"a\\\"\\\\b\"@client.example>\n");
  EXPECT_EQ(return_path_field("a@b@client.example"), "Return-Path: <\"a@b\"@client.example>\n");
  EXPECT_EQ(return_path_field(".a@client.example"), "Return-Path: <\".a\"@client.example>\n");
  EXPECT_EQ(return_path_field("@client.example"), "Return-Path: <\"\"@client.example>\n");
}

TEST(ReturnPath, is_always_one_line) {
  EXPECT_EQ(return_path_field("a\nb@client.example\r\nX: y"), "Return-Path: <\"a?b\"@client.example??X: y>\n");
}

std::string date_of_the_c_library(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::string text(64, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%e %b %Y %H:%M:%S -0000", &parts));
  return text.starts_with(' ') ? text.substr(1) : text;
}

TEST(MailDate, agrees_with_the_c_library) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> seconds(-30000000000, 250000000000);  // the years 1019 to 9892
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t time = seconds(random);
    ASSERT_EQ(mail_date(time), date_of_the_c_library(time)) << time;
  }
}

TEST(MailDate, knows_leap_days_and_ends_of_years) {
  EXPECT_EQ(mail_date(951782400), "29 Feb 2000 00:00:00 -0000");
  EXPECT_EQ(mail_date(4107542399), "28 Feb 2100 23:59:59 -0000");
  EXPECT_EQ(mail_date(4107542400), "1 Mar 2100 00:00:00 -0000");
  EXPECT_EQ(mail_date(1735689599), "31 Dec 2024 23:59:59 -0000");
  EXPECT_EQ(mail_date(-1), "31 Dec 1969 23:59:59 -0000");
  EXPECT_EQ(mail_date(2147483648), "19 Jan 2038 03:14:08 -0000");
}

}  // namespace
}  // namespace postern::deliver
