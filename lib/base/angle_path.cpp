#include "base/angle_path.hpp"

#include <algorithm>

namespace postern::base {
namespace {

char harmless(char octet) { return static_cast<unsigned char>(octet) < ' ' || octet == '\x7f' ? '?' : octet; }

// RFC 5321 4.1.2: Dot-string. RFC 6531 3.3: octets above ASCII are as good as letters.
bool is_dot_string(std::string_view local_part) {
  const auto is_atext_or_dot = [](char octet) {
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') ||
           static_cast<unsigned char>(octet) >= 0x80 || std::string_view("!#$%&'*+-/=?^_`{|}~.").contains(octet);
  };
  return !local_part.empty() && local_part.front() != '.' && local_part.back() != '.' && !local_part.contains("..") &&
         std::ranges::all_of(local_part, is_atext_or_dot);
}

// RFC 5321 4.1.2: Quoted-string
void append_quoted(std::string& field, std::string_view local_part) {
  field += '"';
  for (const char octet : local_part) {
    if (octet == '"' || octet == '\\') field += '\\';
    field += harmless(octet);
  }
  field += '"';
}

}  // namespace

std::string written_path(std::string_view path) {
  const std::size_t at = std::min(path.rfind('@'), path.size());
  const std::string_view local_part = path.substr(0, at);
  std::string written;
  if (path.empty() || is_dot_string(local_part))
    written += local_part;
  else
    append_quoted(written, local_part);
  for (const char octet : path.substr(at)) written += harmless(octet);
  return written;
}

std::string angle_path(std::string_view path) { return '<' + written_path(path) + '>'; }

std::string path_of(std::string_view written) {
  if (written.starts_with('<') && written.ends_with('>')) written = written.substr(1, written.size() - 2);
  if (!written.starts_with('"')) return std::string(written);
  std::string path;
  for (std::size_t i = 1; i < written.size(); ++i) {
    if (written[i] == '"') return path += written.substr(i + 1);
    if (written[i] == '\\' && i + 1 < written.size()) ++i;
    path += written[i];
  }
  return std::string(written);  // its quotes do not end
}

}  // namespace postern::base
