// A cdb file of one record.
// in      key and value
// out     the file
// source  cr.yp.to/cdb/cdb.txt
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::fuzz {

[[nodiscard]] inline std::string cdb_of(std::string_view key, std::string_view value) {
  const auto number = [](std::size_t n) {
    std::string octets;
    for (unsigned shift = 0; shift < 32; shift += 8) octets += static_cast<char>(n >> shift & 0xFF);
    return octets;
  };
  std::uint32_t hash = 5381;
  for (const char octet : key) hash = ((hash << 5U) + hash) ^ static_cast<unsigned char>(octet);
  const std::string record = number(key.size()) + number(value.size()) + std::string(key) + std::string(value);
  constexpr std::size_t header_octets = 2048;
  const std::size_t table = header_octets + record.size();
  std::string header;
  for (std::size_t i = 0; i < 256; ++i)
    header += number(i < hash % 256 ? table : table + (i == hash % 256 ? 0 : 16)) + number(i == hash % 256 ? 2 : 0);
  const std::string slot = number(hash) + number(header_octets), empty = number(0) + number(0);
  return header + record + ((hash >> 8U) % 2 == 0 ? slot + empty : empty + slot);
}

}  // namespace postern::fuzz
