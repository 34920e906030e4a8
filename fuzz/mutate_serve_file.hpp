// Changes a file of postern serve as its operator would, by keys, values, tables and lines.
// in      octets in a room of some size, and a seed; the same seed does the same. One change in five is libFuzzer's own
// out     the new size
// source  spec/options.toml: each key, where it may stand, and of which kind it is
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace postern::fuzz {

[[nodiscard]] std::size_t mutate_serve_file(std::span<std::uint8_t> room, std::size_t size, unsigned seed);

}  // namespace postern::fuzz
