#include "base/number.hpp"

namespace postern::base {

std::expected<std::uint64_t, NumberError> parse_unsigned(std::string_view text, std::uint64_t max) {
  if (text.empty()) return std::unexpected(NumberError::empty);
  // All digits first: `99999999999999999999x` is no number, rather than one too large.
  for (const char octet : text)
    if (octet < '0' || octet > '9') return std::unexpected(NumberError::not_digits);
  std::uint64_t number = 0;
  for (const char octet : text) {
    const auto digit = static_cast<std::uint64_t>(octet - '0');
    if (digit > max || number > (max - digit) / 10) return std::unexpected(NumberError::too_large);
    number = number * 10 + digit;
  }
  return number;
}

}  // namespace postern::base
