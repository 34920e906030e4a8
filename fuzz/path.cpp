// What follows `MAIL FROM:` or `RCPT TO:`: [an odd octet: RCPT] path and parameters.
// oracle  the naive reader of the ABNF says the same (of short ones); views lie inside the line; the mailbox
//         and SIZE are what a naive unquoting gives, in a room of just its size; quoted and sent again it is the same mailbox
#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "fuzz/must.hpp"
#include "fuzz/mutate.hpp"
#include "grammar/command.hpp"
#include "testing/guard_page.hpp"
#include "testing/naive_command.hpp"

namespace {

using namespace postern;
using fuzz::must;

constexpr std::size_t most_octets = 16 * 1024;

std::string_view mailbox_of(const grammar::Path& path) {
  static testing::GuardedOctets guarded(most_octets);
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

// RFC 1870 3: the number after SIZE=, and the greatest that there is for a greater one. `rest` begins after the path.
std::uint64_t naive_size(std::string_view rest) {
  std::string digits;
  for (std::size_t at = 0; at + 6 <= rest.size() && digits.empty(); ++at) {
    std::string keyword(rest.substr(at, 6));
    for (char& c : keyword) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    if (keyword == " SIZE=") digits = rest.substr(at + 6, rest.find(' ', at + 6) - at - 6);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const std::string greatest = std::to_string(std::numeric_limits<std::uint64_t>::max());
  if (digits.size() > greatest.size() || (digits.size() == greatest.size() && digits > greatest)) digits = greatest;
  return digits.empty() ? 0 : std::stoull(digits);
}

void check(const grammar::Command& command, std::string_view line) {
  for (const std::string_view view : {command.path.local_part, command.path.domain, command.parameters.auth_mailbox})
    must(view.empty() || (view.data() >= line.data() && view.data() + view.size() <= line.data() + line.size()),
         "a view lies outside the line", line);
  const std::string_view last = command.path.domain.empty() ? command.path.local_part : command.path.domain;
  const std::string_view rest =
      line.substr(last.empty() ? line.find("<>") : static_cast<std::size_t>(last.data() + last.size() - line.data()));
  must(command.parameters.size_octets == naive_size(rest), "another SIZE", line);
  const std::string mailbox(mailbox_of(command.path));
  must(mailbox == naive_mailbox(command.path), "the mailbox is unquoted otherwise", line);
  if (command.path.domain.empty()) return;
  static testing::GuardedOctets guarded(2 * most_octets);
  const std::string_view again = guarded.before_guard(quoted_again(command.path));
  const auto parsed = grammar::parse_command(again);
  must(parsed && mailbox_of(parsed->path) == mailbox, "the mailbox, quoted, is another one", again);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static testing::GuardedOctets guarded(most_octets);
  if (size < 1 || size > most_octets - 16) return 0;
  std::array<char, most_octets> sent;
  const std::string_view verb = data[0] % 2 == 0 ? "MAIL FROM:" : "RCPT TO:";
  verb.copy(sent.data(), verb.size());
  std::copy(data + 1, data + size, sent.data() + verb.size());
  const std::string_view line = guarded.before_guard({sent.data(), verb.size() + size - 1});
  const auto parsed = grammar::parse_command(line);
  if (parsed) check(*parsed, line);
  if (size > 48) return 0;
  const auto naive = testing::read_command(line);
  must(naive.has_value() == parsed.has_value(), "the naive reader judges otherwise", line);
  if (parsed) must(testing::owned(*parsed) == *naive, "the naive reader reads otherwise", line);
  return 0;
}
