// Decimal numbers as operators write them: digits, and nothing else.
// in      the text of a variable, or of a control file's line
// out     the number, at most `max`
// errors  NumberError; allocates nothing
// source  deviation D11 (the original reads `10k` as 10 and `yes` as 0)
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace postern::base {

enum class NumberError : std::uint8_t { empty, not_digits, too_large };

[[nodiscard]] std::expected<std::uint64_t, NumberError> parse_unsigned(std::string_view text, std::uint64_t max);

}  // namespace postern::base
