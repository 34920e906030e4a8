// What stands behind `MAIL FROM:` or `RCPT TO:`: [an odd octet: RCPT] path and parameters.
// oracle  the naive reader of the ABNF says the same (of short ones: it is slow); views lie inside the line; the mailbox
//         is what a naive unquoting gives, in a room of just its size; quoted and sent again it is the same mailbox
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/mutate.hpp"
#include "grammar/command.hpp"
#include "proptests/naive_command.hpp"
#include "tests/guard_page.hpp"

namespace {

using namespace postern;

constexpr std::size_t most_octets = 16 * 1024;

void must(bool is_so, const char* what, std::string_view line) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n%.*s\n", what, static_cast<int>(line.size()), line.data());
  std::abort();
}

std::string_view mailbox_of(const grammar::Path& path) {
  static tests::GuardedOctets guarded(most_octets);
  const std::size_t most = path.local_part.size() + path.domain.size() + 1;
  const auto room = guarded.space_before_guard(most);
  return {room.data(), grammar::write_mailbox(path, room)};
}

// RFC 5321 4.1.2: what a quoted string means.
std::string unquoted(std::string_view local_part) {
  if (!local_part.starts_with('"')) return std::string(local_part);
  std::string text;
  for (std::size_t i = 1; i + 1 < local_part.size(); ++i) {
    if (local_part[i] == '\\') ++i;
    text += local_part[i];
  }
  return text;
}

std::string naive_mailbox(const grammar::Path& path) {
  const std::string local_part = unquoted(path.local_part);
  return path.domain.empty() ? local_part : local_part + "@" + std::string(path.domain);
}

std::string quoted_again(const grammar::Path& path) {
  std::string line = "MAIL FROM:<\"";
  for (const char octet : unquoted(path.local_part)) {
    if (octet == '"' || octet == '\\') line += '\\';
    line += octet;
  }
  return line + "\"@" + std::string(path.domain) + ">";
}

void check(const grammar::Command& command, std::string_view line) {
  for (const std::string_view view : {command.path.local_part, command.path.domain, command.parameters.auth_mailbox})
    must(view.empty() || (view.data() >= line.data() && view.data() + view.size() <= line.data() + line.size()),
         "a view lies outside the line", line);
  const std::string mailbox(mailbox_of(command.path));
  must(mailbox == naive_mailbox(command.path), "the mailbox is unquoted otherwise", line);
  if (command.path.domain.empty()) return;
  const std::string again = quoted_again(command.path);
  const auto parsed = grammar::parse_command(again);
  must(parsed && mailbox_of(parsed->path) == mailbox, "the mailbox, quoted, is another one", again);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tests::GuardedOctets guarded(most_octets);
  if (size < 1 || size > most_octets - 16) return 0;
  std::array<char, most_octets> sent;
  const std::string_view verb = data[0] % 2 == 0 ? "MAIL FROM:" : "RCPT TO:";
  verb.copy(sent.data(), verb.size());
  std::copy(data + 1, data + size, sent.data() + verb.size());
  const std::string_view line = guarded.before_guard({sent.data(), verb.size() + size - 1});
  const auto parsed = grammar::parse_command(line);
  if (parsed) check(*parsed, line);
  if (size > 48 || size % 4 != 0) return 0;
  const auto naive = proptests::read_command(line);
  must(naive.has_value() == parsed.has_value(), "the naive reader judges otherwise", line);
  if (parsed) must(proptests::owned(*parsed) == *naive, "the naive reader reads otherwise", line);
  return 0;
}
