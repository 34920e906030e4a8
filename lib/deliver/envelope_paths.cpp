#include "deliver/envelope_paths.hpp"

namespace postern::deliver {
namespace {

// Takes KIND path NUL off the front; nothing when something else stands there.
std::optional<std::string_view> take_path(std::string_view& octets, char kind) {
  const std::size_t end = octets.find('\0');
  if (!octets.starts_with(kind) || end == std::string_view::npos) return std::nullopt;
  const std::string_view path = octets.substr(1, end - 1);
  octets.remove_prefix(end + 1);
  return path;
}

}  // namespace

std::optional<EnvelopePaths> parse_envelope(std::string_view octets) {
  const auto reverse_path = take_path(octets, 'F');
  if (!reverse_path) return std::nullopt;
  EnvelopePaths paths{.reverse_path = *reverse_path, .forward_paths = {}};
  while (const auto forward_path = take_path(octets, 'T')) paths.forward_paths.push_back(*forward_path);
  if (octets != std::string_view("\0", 1) || paths.forward_paths.empty()) return std::nullopt;
  return paths;
}

}  // namespace postern::deliver
