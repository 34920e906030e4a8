// parse_command on tables of lines: verbs, arguments, parameters.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "tests/parsed_command.hpp"

namespace postern::grammar {
namespace {

using namespace std::string_view_literals;

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

// RFC 5321 4.1.1.1, 4.1.1.4-4.1.1.10: which of them may have one the policy says
TEST(command, lenient_argument_and_lenient_client_name) {
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
        const bool is_forgiven = verb == Verb::auth && control == '\t' && rest.find(' ', 1) != std::string::npos &&
                                 rest.back() != ' ';  // lenient_trailing_blanks
        if (is_forgiven) continue;
        const std::string line = std::string(name) + rest + static_cast<char>(control) + "\0z";
        expect_error(line, SyntaxErrorKind::control_octet, name.size() + rest.size());
        EXPECT_EQ(parsed(line).error().verb, verb);
      }
    }
  }
}

struct ErrorCase {
  std::string_view text;
  std::size_t offset;  // from the beginning of `text`
};

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
                                                        {"00000000000000000007", 7}}) {
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
  constexpr std::array<ErrorCase, 32> cases = {{
      {"S", 1},
      {"SIZE", 4},
      {"SIZE=", 5},
      {"SIZE=x", 5},
      {"SIZE=1x", 6},
      {"SIZE=-1", 5},
      {"SIZE=000000000000000000001", 25},  // RFC 1870 3: at most 20 digits
      {"SIZE=184467440737095516150", 25},
      {"SIZE=99999999999999999999999 BODY=7BIT", 25},
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
           {"AUTH PLAIN dGlt\t", "PLAIN", "dGlt"},  // lenient_trailing_blanks: deviation D14
           {"AUTH LOGIN dGlt \t \t ", "LOGIN", "dGlt"},
           {"AUTH PLAIN =\t", "PLAIN", "="},
           {"AUTH PLAIN *\t", "PLAIN", "*"},
       }) {
    const auto result = parsed(line);
    ASSERT_TRUE(result.has_value()) << line;
    EXPECT_EQ(result->mechanism, mechanism);
    EXPECT_EQ(result->initial_response, initial_response);
  }
}

// Deviation D14: blanks are forgiven after an initial response, and nowhere else
TEST(command, a_tab_is_a_control_octet_elsewhere) {
  for (const std::string_view line : {"AUTH PLAIN\t", "AUTH PLAIN \t", "AUTH PLAIN a\tb", "AUTH PLAIN a\t\x01",
                                      "NOOP a\t", "MAIL FROM:<a@b>\t", "QUIT \t"})
    expect_error(line, SyntaxErrorKind::control_octet, line.find('\t'));
  EXPECT_EQ(parsed("AUTH\t").value().verb, Verb::unknown);
}

constexpr std::array<std::string_view, 14> sample_lines = {
    "EHLO client.example.org",
    "HELO [1.2.3.4]",
    "MAIL FROM:<a.b@example.org> SIZE=1024 BODY=8BITMIME AUTH=a+2B@b",
    "MAIL FROM: <@x,@y:\"a\\\"b\"@[IPv6:1:2::3:255.0.1.29]> AUTH=<> BODY=7BIT SIZE=1",
    "MAIL FROM:<>",
    "RCPT TO:<c@[IPv6:1:2:3:4:5:6:7:8]>",
    "RCPT TO:<postmaster>  ",
    "RCPT TO:d@[x-400:c]",
    "AUTH PLAIN AGFsAGFs ",
    "AUTH LOGIN dGlt \t ",
    "RCPT TO:<.a..b.@c_d.e>",
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
            ASSERT_EQ(testing::owned(*by_class), testing::owned(*by_octet)) << line;
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
}

}  // namespace
}  // namespace postern::grammar
