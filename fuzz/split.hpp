// The pieces of an input: what stands between two octets `at` comes at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::fuzz {

[[nodiscard]] inline std::vector<std::string> split(std::string_view octets, char at = '\xFF') {
  std::vector<std::string> pieces(1);
  for (const char octet : octets) {
    if (octet == at)
      pieces.emplace_back();
    else
      pieces.back() += octet;
  }
  return pieces;
}

}  // namespace postern::fuzz
