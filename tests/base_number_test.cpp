#include <gtest/gtest.h>

#include <limits>

#include "base/number.hpp"

namespace postern::base {
namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

TEST(Number, digits_are_a_number) {
  EXPECT_EQ(0U, parse_unsigned("0", largest));
  EXPECT_EQ(7U, parse_unsigned("007", largest));
  EXPECT_EQ(3600U, parse_unsigned("3600", 3600));
  EXPECT_EQ(largest, parse_unsigned("18446744073709551615", largest));
}

// deviation D11
TEST(Number, anything_but_digits_is_none) {
  for (const char* text : {"10k", "yes", "-1", "+1", " 1", "1 ", "0x1", "1.0", "O", "99999999999999999999x"})
    EXPECT_EQ(NumberError::not_digits, parse_unsigned(text, largest).error()) << text;
  EXPECT_EQ(NumberError::empty, parse_unsigned("", largest).error());
}

TEST(Number, what_is_too_large_never_wraps) {
  for (const char* text : {"18446744073709551616", "36893488147419103232", "99999999999999999999999"})
    EXPECT_EQ(NumberError::too_large, parse_unsigned(text, largest).error()) << text;
  EXPECT_EQ(NumberError::too_large, parse_unsigned("3601", 3600).error());
  EXPECT_EQ(NumberError::too_large, parse_unsigned("2", 1).error());
  EXPECT_EQ(NumberError::too_large, parse_unsigned("9", 0).error());
  EXPECT_EQ(0U, parse_unsigned("000", 0));
}

}  // namespace
}  // namespace postern::base
