// A configuration of postern serve as text: what it means, and as a file that means the same.
// out     meaning_of: each key and its value as TOML has it: `server.loops` 2, `listener 0.SSL` 1; places and the file's name are
//         no part of it
//         write_serve_file: TOML, with keys that do not exist where Strays are given
// errors  none: what the reader accepts can be written
// source  docs/operating.md: The file
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.hpp"

namespace postern::fuzz {

using Meaning = std::map<std::string, std::string>;
[[nodiscard]] Meaning meaning_of(const config::Configuration& configuration);

// Values of TOML.
[[nodiscard]] std::string quoted(std::string_view text);
[[nodiscard]] std::string array_of(const std::vector<std::string>& values);
[[nodiscard]] std::string certificate_of(const tls::CertificateFiles& files);

// The order of the tables and of the keys in each.
enum class FileOrder : std::uint8_t { usual, reversed };

// Keys that no table has, one after the other in each of them.
struct Strays {
  std::vector<std::string> keys;
  std::vector<std::size_t> lines;  // out: where they stand, from 1
};
[[nodiscard]] std::string write_serve_file(const config::Configuration& configuration, FileOrder order,
                                           Strays* strays = nullptr);

}  // namespace postern::fuzz
