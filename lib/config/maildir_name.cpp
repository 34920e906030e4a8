#include "config/maildir_name.hpp"

namespace postern::config {
namespace {

char lower(char octet) { return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet - 'A' + 'a') : octet; }

bool stands_for_itself(char octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || std::string_view("._+=-").contains(octet);
}

void append_encoded(std::string& name, char octet) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(octet);
  name += '%';
  name += digits[value >> 4U];
  name += digits[value & 15U];
}

}  // namespace

std::string encode_name(std::string_view octets) {
  if (octets.empty()) return "%";  // RFC 5321 4.1.2: `""@example.com` has an empty local-part
  std::string path;
  std::size_t name_begin = 0;
  for (const char original : octets) {
    const char octet = lower(original);
    if (path.size() - name_begin >= max_name_octets) {
      path += "%/";
      name_begin = path.size();
    }
    const bool begins_with_dot = octet == '.' && path.size() == name_begin;
    if (stands_for_itself(octet) && !begins_with_dot)
      path += octet;
    else
      append_encoded(path, octet);
  }
  return path;
}

std::string mailbox_path(std::string_view forward_path, std::string_view default_domain) {
  // The last `@`: a quoted local-part may hold others, a domain none.
  const std::size_t at = forward_path.rfind('@');
  const bool has_domain = at != std::string_view::npos && at + 1 < forward_path.size();
  const std::string_view domain = has_domain ? forward_path.substr(at + 1) : default_domain;
  return encode_name(domain) + '/' + encode_name(forward_path.substr(0, at));
}

}  // namespace postern::config
