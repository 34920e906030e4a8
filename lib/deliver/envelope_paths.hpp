// The envelope as a hand-over gets it, taken apart.
// in      "Freverse-path\0Tforward-path\0Tforward-path\0\0"
// out     EnvelopePaths, views into the octets; forward-paths in their order, at least one
// errors  no value when it is incomplete, or has no recipient
// source  qmail-queue(8)
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace postern::deliver {

struct EnvelopePaths {
  std::string_view reverse_path;
  std::vector<std::string_view> forward_paths;
};
[[nodiscard]] std::optional<EnvelopePaths> parse_envelope(std::string_view octets);

}  // namespace postern::deliver
