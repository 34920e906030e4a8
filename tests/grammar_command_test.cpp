// parse_command on tables of lines; each line is also read by the two slow parsers, which must say the same.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "proptests/naive_command.hpp"
#include "tests/guard_page.hpp"

namespace postern::grammar {
namespace {

using namespace std::string_view_literals;
using proptests::NaiveCommand;
using proptests::owned;
using Result = std::expected<Command, SyntaxError>;

bool lies_in(std::string_view view, std::string_view line) {
  return view.empty() || (view.data() >= line.data() && view.data() + view.size() <= line.data() + line.size());
}

void expect_views_inside(const Command& command, std::string_view line) {
  for (const auto view : {command.argument, command.path.local_part, command.path.domain, command.mechanism,
                          command.initial_response, command.parameters.auth_mailbox}) {
    EXPECT_TRUE(lies_in(view, line)) << line;
  }
}

bool same(const Result& fast, const std::expected<NaiveCommand, SyntaxError>& slow) {
  if (fast.has_value() != slow.has_value()) return false;
  return fast ? owned(*fast) == *slow : fast.error() == slow.error();
}

// The line stands before an unreadable page, so the result's views live until the next call.
Result parsed(std::string_view text) {
  static tests::GuardedOctets guarded(1 << 16);
  const std::string_view line = guarded.before_guard(text);
  const Result result = parse_command(line);
  if (result) expect_views_inside(*result, line);
  EXPECT_TRUE(same(result, proptests::read_command(line))) << text;
  const Result by_octets = parse_command_over(Octets{}, line);
  EXPECT_EQ(result.has_value(), by_octets.has_value()) << text;
  if (result && by_octets) {
    EXPECT_EQ(owned(*result), owned(*by_octets)) << text;
  }
  if (!result && !by_octets) {
    EXPECT_EQ(result.error(), by_octets.error()) << text;
  }
  return result;
}

void expect_error(std::string_view line, SyntaxErrorKind kind, std::size_t offset) {
  const Result result = parsed(line);
  ASSERT_FALSE(result.has_value()) << line;
  EXPECT_EQ(result.error().kind, kind) << line;
  EXPECT_EQ(result.error().offset, offset) << line;
}

struct VerbCase {
  std::string_view name;
  Verb verb;
};
constexpr std::array<VerbCase, 13> verbs = {{
    {"HELO", Verb::helo},
    {"EHLO", Verb::ehlo},
    {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt},
    {"DATA", Verb::data},
    {"RSET", Verb::rset},
    {"NOOP", Verb::noop},
    {"VRFY", Verb::vrfy},
    {"EXPN", Verb::expn},
    {"HELP", Verb::help},
    {"QUIT", Verb::quit},
    {"STARTTLS", Verb::starttls},
    {"AUTH", Verb::auth},
}};

TEST(command, verbs_are_read_in_any_case) {  // RFC 5321 2.4, 4.1.1
  for (const auto& [name, verb] : verbs) {
    if (verb == Verb::mail || verb == Verb::rcpt) continue;
    for (unsigned upper = 0; upper < 1U << name.size(); ++upper) {
      std::string line(name);
      for (std::size_t i = 0; i < name.size(); ++i) line[i] = static_cast<char>(name[i] | (upper >> i & 1U ? 0 : 0x20));
      EXPECT_EQ(parsed(line).value().verb, verb) << line;
    }
  }
}

TEST(command, an_unknown_verb_is_a_command) {  // RFC 5321 4.2.4
  for (const auto line : {""sv, " "sv, " NOOP"sv, "NOOP\t"sv, "NO\0OP"sv, "TURN"sv, "NOO"sv, "NOOPX"sv, "NOOP,"sv,
                          "BDAT 3"sv, "\xFF"sv, "QUIT\0"sv, "MAILFROM:<>"sv, "DATA\r"sv, "X \0"sv, "STARTTL"sv}) {
    const auto result = parsed(line);
    ASSERT_TRUE(result.has_value()) << line;
    EXPECT_EQ(result->verb, Verb::unknown) << line;
    EXPECT_TRUE(result->argument.empty());
  }
}

TEST(command, lenient_argument) {  // RFC 5321 4.1.1.1, 4.1.1.5-4.1.1.10
  for (const std::string verb : {"EHLO", "HELO", "DATA", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS"}) {
    EXPECT_EQ(parsed(verb).value().argument, "");
    EXPECT_EQ(parsed(verb + "   ").value().argument, "");
    EXPECT_EQ(parsed(verb + " a").value().argument, "a");
    EXPECT_EQ(parsed(verb + "   a b,<>\xC3\xA4\xFF  ").value().argument, "a b,<>\xC3\xA4\xFF");
  }
}

// Deviation D5: whatever else may be wrong with the line.
TEST(command, control_octets_after_a_known_verb) {
  for (const auto& [name, verb] : verbs) {
    for (int control = 0; control < 0x80; control = control == 0x1F ? 0x7F : control + 1) {
      for (const std::string rest : {" ", " a", " FROM:<a@b> SIZE=", " FROM:a@b X", "  TO:", " PLAIN "}) {
        const std::string line = std::string(name) + rest + static_cast<char>(control) + "\0z";
        expect_error(line, SyntaxErrorKind::control_octet, name.size() + rest.size());
        EXPECT_EQ(parsed(line).error().verb, verb);
      }
    }
  }
}

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

TEST(command, paths) {
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

TEST(command, the_null_reverse_path) {  // RFC 5321 4.5.5
  const auto result = parsed("MAIL FROM:<>");
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->path.local_part.empty() && result->path.domain.empty());
  EXPECT_TRUE(parsed("MAIL FROM:  <> BODY=7BIT  ").has_value());
  expect_error("RCPT TO:<>", SyntaxErrorKind::path, 9);
}

TEST(command, postmaster_without_a_domain) {  // RFC 5321 4.1.1.3, 4.5.1
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
constexpr std::array<ErrorCase, 58> bad_paths = {{
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
    {"<.a@b>", 1},
    {"<a.@b>", 3},
    {"<a..b@c>", 3},
    {"<a@b.>", 5},
    {"<a@.b>", 3},
    {"<a@b..c>", 5},
    {"<a@-b>", 3},
    {"<a@b->", 5},
    {"<a@b-.c>", 5},
    {"<a@b_c>", 4},
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

TEST(command, bad_paths) {
  for (const std::string before : {"MAIL FROM:", "RCPT TO:"}) {
    for (const auto& [text, offset] : bad_paths) {
      expect_error(before + std::string(text), SyntaxErrorKind::path, before.size() + offset);
    }
  }
}

TEST(command, from_and_to_stand_after_one_space) {  // RFC 5321 4.1.1.2, 3.3
  expect_error("MAIL", SyntaxErrorKind::path, 4);
  expect_error("MAIL ", SyntaxErrorKind::path, 5);
  expect_error("MAIL  FROM:<a@b>", SyntaxErrorKind::path, 5);
  expect_error("MAIL FROM :<a@b>", SyntaxErrorKind::path, 9);
  expect_error("MAIL TO:<a@b>", SyntaxErrorKind::path, 5);
  expect_error("RCPT FROM:<a@b>", SyntaxErrorKind::path, 5);
  expect_error("RCPT TO <a@b>", SyntaxErrorKind::path, 7);
  expect_error("RCPT  TO:<a@b>", SyntaxErrorKind::path, 5);
}

TEST(command, size) {  // RFC 1870 3, 4; deviation D15
  constexpr auto greatest = std::numeric_limits<std::uint64_t>::max();
  struct Case {
    std::string_view digits;
    std::uint64_t octets;
  };
  for (const auto& [digits, octets] : std::vector<Case>{{"0", 0},
                                                        {"00", 0},
                                                        {"1234567890", 1234567890},
                                                        {"18446744073709551614", greatest - 1},
                                                        {"18446744073709551615", greatest},
                                                        {"18446744073709551616", greatest},
                                                        {"18446744073709551620", greatest},
                                                        {"99999999999999999999", greatest},
                                                        {"1844674407370955161500000", greatest},
                                                        {"00000000000000000000000000000007", 7}}) {
    for (const std::string before : {"MAIL FROM:<a@b> SIZE=", "MAIL FROM:<> BODY=7BIT size=", "MAIL FROM:a@b SiZe="}) {
      const auto result = parsed(before + std::string(digits));
      ASSERT_TRUE(result.has_value()) << digits;
      EXPECT_TRUE(result->parameters.has_size);
      EXPECT_EQ(result->parameters.size_octets, octets);
    }
  }
  EXPECT_FALSE(parsed("MAIL FROM:<a@b>").value().parameters.has_size);
}

TEST(command, body) {  // RFC 6152 2
  EXPECT_EQ(parsed("MAIL FROM:<a@b>").value().parameters.body, Body::unsaid);
  EXPECT_EQ(parsed("MAIL FROM:<a@b> body=7bit").value().parameters.body, Body::seven_bit);
  EXPECT_EQ(parsed("MAIL FROM:<a@b> BODY=8BITMIME").value().parameters.body, Body::eight_bit_mime);
}

TEST(command, auth_of_mail) {  // RFC 4954 5; RFC 3461 4
  for (const std::string_view mailbox : {"<>", "a@b.c", "e+3Dmc2@example.com", "+2B", "<", "!~"}) {
    EXPECT_EQ(parsed("MAIL FROM:<a@b> AUTH=" + std::string(mailbox)).value().parameters.auth_mailbox, mailbox);
    EXPECT_EQ(parsed("MAIL FROM:<a@b> AUTH=" + std::string(mailbox) + " SIZE=1 ").value().parameters.auth_mailbox,
              mailbox);
  }
}

// RFC 5321 4.1.1.11, 4.1.2; deviation D13
TEST(command, bad_parameters) {
  constexpr std::array<ErrorCase, 29> cases = {{
      {"S", 1},
      {"SIZE", 4},
      {"SIZE=", 5},
      {"SIZE=x", 5},
      {"SIZE=1x", 6},
      {"SIZE=-1", 5},
      {"SIZE =1", 4},
      {"SIZE=1 SIZE=1", 7},
      {"SIZE=1 BODY=7BIT SIZE=2", 17},
      {"BODY=7BIT BODY=7BIT", 10},
      {"AUTH=<> AUTH=<>", 8},
      {"SIZE=1 S", 7},
      {"BODY", 4},
      {"BODY=", 5},
      {"BODY=9BIT", 5},
      {"BODY=7BITS", 9},
      {"BODY=8BIT", 9},
      {"BODY=BINARYMIME", 5},
      {"AUTH=", 5},
      {"AUTH=a=b", 6},
      {"AUTH=+3d", 7},
      {"AUTH=+", 6},
      {"AUTH=\xC3", 5},
      {"SMTPUTF8", 1},
      {"RET=FULL", 0},
      {"X", 0},
      {" SIZE=1", 1},
      {"SIZE=1  BODY=7BIT", 8},
      {"=1", 0},
  }};
  for (const std::string before : {"MAIL FROM:<a@b> ", "MAIL FROM:a@b ", "MAIL FROM:<> "}) {
    for (const auto& [text, offset] : cases) {
      expect_error(before + std::string(text), SyntaxErrorKind::parameter, before.size() + offset);
    }
  }
  expect_error("RCPT TO:<a@b> SIZE=1", SyntaxErrorKind::parameter, 14);
  expect_error("RCPT TO:<postmaster> NOTIFY=NEVER", SyntaxErrorKind::parameter, 21);
}

TEST(command, auth) {  // RFC 4954 4
  struct Case {
    std::string_view line, mechanism, initial_response;
  };
  for (const auto& [line, mechanism, initial_response] : std::vector<Case>{
           {"AUTH", "", ""},
           {"AUTH  ", "", ""},
           {"AUTH PLAIN", "PLAIN", ""},
           {"AUTH plain  ", "plain", ""},
           {"AUTH PLAIN =", "PLAIN", "="},
           {"AUTH  PLAIN   AGFs", "PLAIN", "AGFs"},
           {"AUTH PLAIN AGFs  ", "PLAIN", "AGFs"},
           {"AUTH PLAIN a b  c ", "PLAIN", "a b  c"},
           {"AUTH \xC3 \xC3", "\xC3", "\xC3"},
       }) {
    const auto result = parsed(line);
    ASSERT_TRUE(result.has_value()) << line;
    EXPECT_EQ(result->mechanism, mechanism);
    EXPECT_EQ(result->initial_response, initial_response);
  }
}

constexpr std::array<std::string_view, 12> sample_lines = {
    "EHLO client.example.org",
    "HELO [1.2.3.4]",
    "MAIL FROM:<a.b@example.org> SIZE=1024 BODY=8BITMIME AUTH=a+2B@b",
    "MAIL FROM: <@x,@y:\"a\\\"b\"@[IPv6:1:2::3:255.0.1.29]> AUTH=<> BODY=7BIT SIZE=1",
    "MAIL FROM:<>",
    "RCPT TO:<c@[IPv6:1:2:3:4:5:6:7:8]>",
    "RCPT TO:<postmaster>  ",
    "RCPT TO:d@[x-400:c]",
    "AUTH PLAIN AGFsAGFs ",
    "STARTTLS",
    "VRFY a b",
    "QUIT ",
};

// Deviation D5 and the class table: every octet at every place, put in the place of the one there, or before it.
TEST(command, classes_and_octets_accept_the_same_language) {
  for (const std::string_view sample : sample_lines) {
    for (std::size_t at = 0; at <= sample.size(); ++at) {
      for (unsigned octet = 0; octet < 256; ++octet) {
        for (const std::size_t replaced : {0U, 1U}) {
          if (at + replaced > sample.size()) continue;
          std::string line(sample);
          line.replace(at, replaced, 1, static_cast<char>(octet));
          const auto by_class = parse_command_over(Classes{}, line);
          const auto by_octet = parse_command_over(Octets{}, line);
          ASSERT_EQ(by_class.has_value(), by_octet.has_value()) << line;
          if (by_class) {
            ASSERT_EQ(owned(*by_class), owned(*by_octet)) << line;
          }
          if (!by_class) {
            ASSERT_EQ(by_class.error(), by_octet.error()) << line;
          }
        }
      }
    }
  }
}

TEST(command, every_beginning_of_a_line_is_read_as_the_slow_parsers_read_it) {
  for (const std::string_view sample : sample_lines) {
    for (std::size_t length = 0; length <= sample.size(); ++length) static_cast<void>(parsed(sample.substr(0, length)));
  }
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

TEST(command, write_mailbox_writes_the_name_without_quotes) {  // RFC 5321 4.1.2
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
