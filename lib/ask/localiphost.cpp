#include "ask/localiphost.hpp"

#include <cstdint>

#include "base/number.hpp"

namespace postern::ask {
namespace {

// `192.0.2.1` as a number, leading zeros allowed as RFC 5321 4.1.3 (Snum) does.
std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t end = part < 3 ? text.find('.') : text.size();
    if (end > 3) return std::nullopt;  // no dot at all is npos
    const auto octet = base::parse_unsigned(text.substr(0, end), 255);
    if (!octet) return std::nullopt;
    address = address << 8 | static_cast<std::uint32_t>(*octet);
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return address;
}

}  // namespace

bool is_literal_of(std::string_view domain, std::string_view local_ip) {
  if (!domain.starts_with('[') || !domain.ends_with(']') || domain.size() < 2) return false;
  const auto literal = parse_ipv4(domain.substr(1, domain.size() - 2));
  return literal && literal == parse_ipv4(local_ip);
}

config::ControlResult<std::string> read_local_name() {
  auto name = config::read_line("localiphost");
  if (!name || name->has_value()) return name;
  return config::read_line("me");
}

config::ControlResult<std::string> local_name_for(std::string_view domain, std::string_view local_ip) {
  if (!is_literal_of(domain, local_ip)) return std::nullopt;
  return read_local_name();
}

}  // namespace postern::ask
