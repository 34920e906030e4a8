#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "daemon/log.hpp"

namespace postern::daemon {
namespace {

std::string prefix() { return "postern-smtpd[" + std::to_string(::getpid()) + "]: "; }

TEST(Log, a_line_is_a_word_and_fields) {
  LogLine line("refuse");
  line.field("rule", "mail_before_tls").field("reply", "503 STARTTLS first (#5.5.1)").client("user", "alice");
  line.number("octets", 18446744073709551615ULL);
  EXPECT_EQ(prefix() +
                "refuse rule=mail_before_tls reply=\"503 STARTTLS first (#5.5.1)\" user=alice "
                "octets=18446744073709551615",
            line.text());
}

TEST(Log, an_empty_field_is_seen) {
  LogLine line("x");
  line.field("a", "").client("b", "");
  EXPECT_EQ(prefix() + "x a=\"\" b=", line.text());
}

// deviation D17; recorded otherwise: c_log_injection
TEST(Log, octets_of_the_client_make_neither_a_line_nor_a_field) {
  LogLine line("auth");
  line.client("user", "a\nqmail-smtpd[1]: AUTH ok=1 \"root\" \\x41\t\x7f\xc3\xa9");
  line.client("nul", std::string_view("a\0b", 3));
  EXPECT_EQ(prefix() +
                "auth user=a\\x0aqmail-smtpd[1]:\\x20AUTH\\x20ok\\x3d1\\x20\\x22root\\x22\\x20\\x5cx41\\x09\\x7f"
                "\\xc3\\xa9 nul=a\\x00b",
            line.text());
}

TEST(Log, every_octet_of_a_client_is_harmless) {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  for (std::size_t at = 0; at < all.size(); at += 64) {
    LogLine line("x");
    line.client("v", all.substr(at, 64));
    const std::string_view value = line.text().substr(prefix().size() + 4);
    EXPECT_EQ(std::string_view::npos, value.find_first_of("\n\r\" ="));
    for (const char octet : value) EXPECT_TRUE(octet > 32 && octet < 127);
  }
}

TEST(Log, our_own_fields_cannot_break_a_line_either) {
  LogLine line("x");
  line.field("a", "one\ntwo").field("b", "say \"=\" \x01");
  EXPECT_EQ(prefix() + "x a=one\\x0atwo b=\"say \\x22=\\x22 \\x01\"", line.text());
}

TEST(Log, a_note_is_for_people) {
  LogLine line("refuse-start");
  line.note("SSL=\"O\" in the environment: only 0 and 1 are allowed\n");
  EXPECT_EQ(prefix() + "refuse-start: SSL=\"O\" in the environment: only 0 and 1 are allowed\\x0a", line.text());
}

TEST(Log, one_value_of_a_client_is_cut) {
  LogLine line("x");
  line.client("user", std::string(max_client_octets_logged + 1, 'u')).field("end", "1");
  EXPECT_EQ(prefix() + "x user=" + std::string(max_client_octets_logged, 'u') + "... end=1", line.text());
}

TEST(Log, a_long_line_is_cut_between_octets_and_never_in_an_escape) {
  for (std::size_t octets = 0; octets < 8; ++octets) {
    LogLine line("x");
    line.field("fill", std::string(900 + octets, 'f'));
    for (int i = 0; i < 10; ++i) line.client("user", std::string(100, '\n'));
    const std::string_view text = line.text();
    EXPECT_LT(text.size(), max_log_line_octets);
    EXPECT_TRUE(text.ends_with("..."));
    const std::string_view before = text.substr(0, text.size() - 3);
    const std::size_t escape = before.rfind('\\');
    ASSERT_NE(std::string_view::npos, escape);
    EXPECT_EQ(4U, before.size() - escape);
  }
}

TEST(Log, a_line_leaves_in_one_write) {
  std::array<int, 2> ends{};
  ASSERT_EQ(0, ::pipe2(ends.data(), O_CLOEXEC | O_DIRECT));  // a read gives what one write put in
  LogLine line("x");
  line.field("a", "1");
  line.write(ends[1]);
  LogLine second("y");
  second.field("fill", std::string(5000, 'f')).write(ends[1]);
  std::array<char, 4096> room{};
  ssize_t got = ::read(ends[0], room.data(), room.size());
  EXPECT_EQ(prefix() + "x a=1\n", std::string(room.data(), static_cast<std::size_t>(got)));
  got = ::read(ends[0], room.data(), room.size());
  EXPECT_LE(got, static_cast<ssize_t>(max_log_line_octets));
  EXPECT_TRUE(std::string_view(room.data(), static_cast<std::size_t>(got)).ends_with("...\n"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Log, a_closed_log_is_no_trouble) { LogLine("x").write(-1); }

}  // namespace
}  // namespace postern::daemon
