// decode_base64: strict, in place if wanted.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/base64.hpp"
#include "testing/guard_page.hpp"

namespace postern::grammar {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::expected<std::string, std::size_t> decoded(std::string_view text) {
  static testing::GuardedOctets input(4096);
  static testing::GuardedOctets output(4096);
  const auto space = output.space_before_guard(text.size() / 4 * 3);
  const auto octets = decode_base64(input.before_guard(text), space);
  if (!octets) return std::unexpected(octets.error());
  return std::string(space.data(), *octets);
}

// RFC 4648 4, written from the text.
std::string encoded(std::string_view octets) {
  std::string text;
  for (std::size_t at = 0; at < octets.size(); at += 3) {
    const std::string_view group = octets.substr(at, 3);
    unsigned bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) text += i <= group.size() ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

TEST(base64, test_vectors) {  // RFC 4648 10
  const std::array<std::array<std::string_view, 2>, 8> vectors = {{
      {"", ""},
      {"Zg==", "f"},
      {"Zm8=", "fo"},
      {"Zm9v", "foo"},
      {"Zm9vYg==", "foob"},
      {"Zm9vYmE=", "fooba"},
      {"Zm9vYmFy", "foobar"},
      {"dGVzdAB0ZXN0ADEyMzQ=", std::string_view("test\0test\0"
                                                "1234",
                                                14)},
  }};
  for (const auto& [text, octets] : vectors) EXPECT_EQ(decoded(text).value(), octets) << text;
}

TEST(base64, what_does_not_fit_is_named_by_its_offset) {  // RFC 4648 3.3, 3.5; deviation D14
  struct Case {
    std::string_view text;
    std::size_t offset;
  };
  const std::vector<Case> cases = {
      {"=", 0},
      {"====", 0},
      {"A", 1},
      {"AA", 2},
      {"AAA", 3},
      {"A===", 1},
      {"AA=", 3},
      {"AA=A", 3},
      {"AAA=A", 4},
      {"AA==A", 4},
      {"AB==", 2},
      {"AAB=", 3},
      {"AAAAA", 5},
      {"AAAA=", 4},
      {"AA A", 2},
      {" AAAA", 1},  // only after the last character are blanks forgiven
      {"AAAA A", 5},
      {"AA== =", 5},
      {"AA= =", 3},
      {"AAAA\t\r", 5},
      {"AA\r\n", 2},
      {"AA-_", 2},
      {"AA\0A", 2},
      {"\xFF"
       "AAA",
       0},
      {"*", 0},
      {"AAAAAA==AAAA", 8},
  };
  for (const auto& [text, offset] : cases) {
    const auto result = decoded(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error(), offset) << text;
  }
}

TEST(base64, all_that_is_encoded_is_decoded) {
  std::string octets;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(decoded(encoded(octets)).value(), octets);
    octets += static_cast<char>(length * 151 % 256);
  }
}

// deviation D14: lenient_trailing_blanks
TEST(base64, blanks_after_it_are_forgiven) {
  for (const std::string blanks : {" ", "\t", " \t \t"}) {
    EXPECT_EQ(decoded("dGlt" + blanks).value(), "tim");
    EXPECT_EQ(decoded("cGE=" + blanks).value(), "pa");
    EXPECT_EQ(decoded("YQ==" + blanks).value(), "a");
  }
}

// Whatever is accepted is what an encoder writes, except for blanks after it, so no two texts mean the same octets.
TEST(base64, every_quantum_is_accepted_only_as_an_encoder_writes_it) {
  constexpr std::string_view characters = "AQgwBCEIf9+/=. ";
  std::string text(4, ' ');
  for (const char a : characters) {
    for (const char b : characters) {
      for (const char c : characters) {
        for (const char d : characters) {
          text = {a, b, c, d};
          const auto result = decoded(text);
          if (result) {
            ASSERT_EQ(encoded(*result), text.substr(0, text.find_last_not_of(' ') + 1));
          }
          const auto first_bad = text.find_first_not_of(alphabet);
          if (first_bad == text.npos) {
            ASSERT_TRUE(result.has_value()) << text;
          }
        }
      }
    }
  }
}

TEST(base64, decodes_in_place) {
  std::string text = "Zm9vYmFyZm9vYmFy";
  const auto octets = decode_base64(text, text);
  ASSERT_TRUE(octets.has_value());
  EXPECT_EQ(text.substr(0, *octets), "foobarfoobar");
}

}  // namespace
}  // namespace postern::grammar
