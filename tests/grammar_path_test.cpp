// Paths of MAIL and RCPT, on tables, and the mailbox that is written from them.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "tests/parsed_command.hpp"

namespace postern::grammar {
namespace {

struct PathCase {
  std::string_view text;
  std::string_view local_part;
  std::string_view domain;
};

// RFC 5321 4.1.2, 4.1.3
constexpr std::array<PathCase, 34> paths = {{
    {"<a@b>", "a", "b"},
    {"<a.b.c@d.e.f>", "a.b.c", "d.e.f"},
    {"<!#$%&'*+-/=?^_`{|}~@a>", "!#$%&'*+-/=?^_`{|}~", "a"},
    {"<\"\"@a>", "\"\"", "a"},
    {"<\" ><@,:.\"@a>", "\" ><@,:.\"", "a"},
    {"<\"a\\\"b\\\\\\ \"@a>", "\"a\\\"b\\\\\\ \"", "a"},
    {"<a@b-c.d--e.0>", "a", "b-c.d--e.0"},
    {"<a@1>", "a", "1"},
    {"<a@[1.2.3.4]>", "a", "[1.2.3.4]"},
    {"<a@[255.0.00.000]>", "a", "[255.0.00.000]"},
    {"<a@[IPv6:::]>", "a", "[IPv6:::]"},
    {"<a@[ipV6:::1]>", "a", "[ipV6:::1]"},
    {"<a@[IPv6:1:2:3:4:5:6:7:8]>", "a", "[IPv6:1:2:3:4:5:6:7:8]"},
    {"<a@[IPv6:1:22:333:4444:aA:fF::]>", "a", "[IPv6:1:22:333:4444:aA:fF::]"},
    {"<a@[IPv6:::1:2:3:4:5:6]>", "a", "[IPv6:::1:2:3:4:5:6]"},
    {"<a@[IPv6:1:2:3::4:5:6]>", "a", "[IPv6:1:2:3::4:5:6]"},
    {"<a@[IPv6:1:2:3:4:5:6:1.2.3.4]>", "a", "[IPv6:1:2:3:4:5:6:1.2.3.4]"},
    {"<a@[IPv6:::1.2.3.4]>", "a", "[IPv6:::1.2.3.4]"},
    {"<a@[IPv6:::ffff:1.2.3.4]>", "a", "[IPv6:::ffff:1.2.3.4]"},
    {"<a@[IPv6:1:2:3:4::255.2.3.4]>", "a", "[IPv6:1:2:3:4::255.2.3.4]"},
    {"<a@[IPv6:1::2:3:4:1.2.3.4]>", "a", "[IPv6:1::2:3:4:1.2.3.4]"},
    {"<a@[tag:!<>\"Z^~]>", "a", "[tag:!<>\"Z^~]"},
    {"<a@[IPv6x:zz]>", "a", "[IPv6x:zz]"},
    {"<a@[IPv:6]>", "a", "[IPv:6]"},
    {"<a@[1:6]>", "a", "[1:6]"},
    {"<@x:a@b>", "a", "b"},
    {"<@x,@y.z,@1:a.b@c>", "a.b", "c"},
    {"a@b", "a", "b"},
    {"\"a b\"@[1.2.3.4]", "\"a b\"", "[1.2.3.4]"},
    {"   <a@b>", "a", "b"},
    {"  a@b", "a", "b"},
    {"<postmaster@a>", "postmaster", "a"},
    {"<Postmaste@a>", "Postmaste", "a"},
    {"postmaster@a", "postmaster", "a"},
}};

TEST(path, paths) {
  for (const auto& [text, local_part, domain] : paths) {
    for (const std::string before : {"MAIL FROM:", "RCPT TO:", "mail from:", "rcpt to:"}) {
      for (const std::string after : {"", " ", "   "}) {
        const auto result = parsed(before + std::string(text) + after);
        ASSERT_TRUE(result.has_value()) << text;
        EXPECT_EQ(result->path.local_part, local_part) << text;
        EXPECT_EQ(result->path.domain, domain) << text;
      }
    }
  }
}

// Deviation D13: lenient_underscore and lenient_dots, and what looks alike and is neither
TEST(path, what_is_forgiven_of_an_address_is_named) {
  struct Case {
    std::string_view text, local_part, domain;
    bool is_lenient;
  };
  for (const auto& [text, local_part, domain, is_lenient] :
       {Case{"<a@my_host.example>", "a", "my_host.example", true}, Case{"<a@_>", "a", "_", true},
        Case{"<a@_b-_.c_>", "a", "_b-_.c_", true}, Case{"<@x_y:a@b>", "a", "b", true}, Case{"a@b_c", "a", "b_c", true},
        Case{"<.a@b>", ".a", "b", true}, Case{"<a.@b>", "a.", "b", true}, Case{"<a..b@c>", "a..b", "c", true},
        Case{"<..a...b..@c>", "..a...b..", "c", true}, Case{".a.@b", ".a.", "b", true},
        Case{"<a_b@c>", "a_b", "c", false}, Case{"<_@c>", "_", "c", false}, Case{"<a.b.c@d.e>", "a.b.c", "d.e", false},
        Case{"<\"..a_\"@b>", "\"..a_\"", "b", false}, Case{"<a@[tag:_..]>", "a", "[tag:_..]", false}}) {
    for (const std::string before : {"MAIL FROM:", "RCPT TO:"}) {
      const auto result = parsed(before + std::string(text));
      ASSERT_TRUE(result.has_value()) << text;
      EXPECT_EQ(result->path.local_part, local_part) << text;
      EXPECT_EQ(result->path.domain, domain) << text;
      EXPECT_EQ(result->path.is_lenient, is_lenient) << text;
    }
  }
}

// `left` groups, perhaps `::` and `right` groups more, perhaps an IPv4 address at the end.
std::string ipv6(std::size_t left, bool has_gap, std::size_t right, bool has_ipv4) {
  const auto groups = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ":") + std::string("aB1");
    return text;
  };
  std::string text = groups(left) + (has_gap ? "::" : "") + groups(right);
  if (has_ipv4) text += (text.empty() || text.ends_with(':') ? "" : ":") + std::string("1.2.3.4");
  return text;
}

// RFC 5321 4.1.3: eight groups, an IPv4 address counts as two, "::" stands for two at least.
TEST(path, an_ipv6_literal_has_eight_groups) {
  for (std::size_t left = 0; left <= 9; ++left) {
    for (std::size_t right = 0; right <= 9; ++right) {
      for (const bool has_gap : {false, true}) {
        for (const bool has_ipv4 : {false, true}) {
          if (!has_gap && right != 0) continue;
          const std::size_t groups = left + right + (has_ipv4 ? 2 : 0);
          const std::string text = ipv6(left, has_gap, right, has_ipv4);
          EXPECT_EQ(parsed("RCPT TO:<a@[IPv6:" + text + "]>").has_value(), has_gap ? groups <= 6 : groups == 8) << text;
        }
      }
    }
  }
}

TEST(path, the_null_reverse_path) {  // RFC 5321 4.5.5
  const auto result = parsed("MAIL FROM:<>");
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->path.local_part.empty() && result->path.domain.empty());
  EXPECT_TRUE(parsed("MAIL FROM:  <> BODY=7BIT  ").has_value());
  expect_error("RCPT TO:<>", SyntaxErrorKind::path, 9);
}

TEST(path, postmaster_without_a_domain) {  // RFC 5321 4.1.1.3, 4.5.1
  for (const std::string_view line : {"RCPT TO:<postmaster>", "RCPT TO:<POSTMASTER> ", "RCPT TO: <PostMaster>"}) {
    const auto result = parsed(line);
    ASSERT_TRUE(result.has_value()) << line;
    EXPECT_EQ(result->path.local_part.size(), 10U);
    EXPECT_TRUE(result->path.domain.empty());
  }
  expect_error("MAIL FROM:<postmaster>", SyntaxErrorKind::path, 21);
  expect_error("RCPT TO:postmaster", SyntaxErrorKind::path, 18);
  expect_error("RCPT TO:<hostmaster>", SyntaxErrorKind::path, 19);
}

struct ErrorCase {
  std::string_view text;
  std::size_t offset;  // from the beginning of `text`
};

// RFC 5321 4.1.2, 4.1.3; deviation D13
constexpr std::array<ErrorCase, 59> bad_paths = {{
    {"", 0},
    {" ", 1},
    {"<", 1},
    {"<a", 2},
    {"<a@", 3},
    {"<a@b", 4},
    {"a@b>", 3},
    {"<<a@b>>", 1},
    {"<a@b>>", 5},
    {"<a@b>x", 5},
    {"<a@b>SIZE=1", 5},
    {"< a@b>", 1},
    {"<a@b >", 4},
    {"<a @b>", 2},
    {"<@b>", 3},
    {"<a>", 2},
    {"<.@b>", 2},
    {"<..@b>", 3},
    {"<.\"a\"@b>", 2},
    {"<\"a\".@b>", 4},
    {"<a@b.>", 5},
    {"<a@_.>", 5},
    {"<a@.b>", 3},
    {"<a@b..c>", 5},
    {"<a@-b>", 3},
    {"<a@b->", 5},
    {"<a@b-.c>", 5},
    {"<a@b@c>", 4},
    {"<a,b@c>", 2},
    {"<a(x)@b>", 2},
    {"<\"a@b>", 6},
    {"<\"a\"b@c>", 4},
    {"<a\"b\"@c>", 2},
    {"<\"a\xC3\"@b>", 3},
    {"<\xC3@b>", 1},
    {"<a@\xC3>", 3},
    {"<\"\\\xC3\"@b>", 3},
    {"<@x,y:a@b>", 4},
    {"<@x:>", 4},
    {"<@x,a@b>", 4},
    {"<@x:@y:a@b>", 4},
    {"@x:a@b", 0},
    {"<@[1.2.3.4]:a@b>", 2},
    {"<a@[]>", 4},
    {"<a@[1.2.3]>", 9},
    {"<a@[1.2.3.256]>", 12},
    {"<a@[1.2.3.1000]>", 13},
    {"<a@[1.2.3.4.5]>", 11},
    {"<a@[1.2.3.4>", 11},
    {"<a@[IPv6:]>", 9},
    {"<a@[IPv6:1:2:3:4:5:6:7]>", 22},
    {"<a@[IPv6:1:2:3:4:5:6:7:8:9]>", 24},
    {"<a@[IPv6:12345::]>", 13},
    {"<a@[IPv6:1::2::3]>", 14},
    {"<a@[IPv6:1:2:3:4:5:6:7::]>", 23},
    {"<a@[IPv6:zz]>", 9},
    {"<a@[tag:]>", 8},
    {"<a@[tag:a\\b]>", 9},
    {"<a@[ta_g:a]>", 6},
}};

TEST(path, bad_paths) {
  for (const std::string before : {"MAIL FROM:", "RCPT TO:"}) {
    for (const auto& [text, offset] : bad_paths) {
      expect_error(before + std::string(text), SyntaxErrorKind::path, before.size() + offset);
    }
  }
}

TEST(path, every_beginning_of_a_path_is_read_as_the_slow_parsers_read_it) {
  for (const auto& path : paths) {
    const std::string line = "RCPT TO:" + std::string(path.text);
    for (std::size_t length = 0; length <= line.size(); ++length) static_cast<void>(parsed(line.substr(0, length)));
  }
}

std::string written(std::string_view line, std::size_t room) {
  const auto command = parsed(line).value();
  std::string out(room, '?');
  const std::size_t octets = write_mailbox(command.path, out);
  return octets <= room ? out.substr(0, octets) : "too small: " + std::to_string(octets);
}

TEST(path, write_mailbox_writes_the_name_without_quotes) {  // RFC 5321 4.1.2
  EXPECT_EQ(written("MAIL FROM:<a.b@c.d>", 7), "a.b@c.d");
  EXPECT_EQ(written("MAIL FROM:<a.b@c.d>", 6), "too small: 7");
  EXPECT_EQ(written("MAIL FROM:<>", 0), "");
  EXPECT_EQ(written("MAIL FROM:<\"a \\\"b\\\\\"@c>", 10), "a \"b\\@c");
  EXPECT_EQ(written("MAIL FROM:<\"\"@c>", 10), "@c");
  EXPECT_EQ(written("MAIL FROM:<@x:a@[1.2.3.4]>", 20), "a@[1.2.3.4]");
  EXPECT_EQ(written("RCPT TO:<Postmaster>", 20), "Postmaster");
}

}  // namespace
}  // namespace postern::grammar
