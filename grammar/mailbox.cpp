#include <cstring>

#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"

namespace postern::grammar {
namespace {

struct Writer {
  std::span<char> out;
  std::size_t written = 0;

  void put(char octet) {
    if (written < out.size()) out[written] = octet;
    ++written;
  }
};

// RFC 5321 4.1.2: the quotes and backslashes of a Quoted-string are no part of the mailbox's name
void put_unquoted(std::string_view local_part, Writer& writer) {
  const bool is_quoted = local_part.starts_with('"');
  if (is_quoted) local_part = local_part.substr(1, local_part.size() - 2);
  for (std::size_t at = 0; at < local_part.size(); ++at) {
    if (is_quoted && local_part[at] == '\\') ++at;
    writer.put(local_part[at]);
  }
}

}  // namespace

std::expected<Command, SyntaxError> parse_command(std::string_view line) { return parse_command_over(Classes{}, line); }

std::size_t write_mailbox(const Path& path, std::span<char> out) {
  Writer writer{out};
  put_unquoted(path.local_part, writer);
  if (!path.domain.empty()) {
    writer.put('@');
    for (const char octet : path.domain) writer.put(octet);
  }
  return writer.written <= out.size() ? writer.written : out.size() + 1;
}

}  // namespace postern::grammar
