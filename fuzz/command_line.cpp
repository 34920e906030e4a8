// One command line.
// oracle  the machine over classes and the machine over octets say the same, and of one short line in eight the naive
//         reader of the ABNF; all views lie inside the line; the mailbox fits where the header says; input before an unreadable page; the sanitizers
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <string_view>

#include "fuzz/mutate.hpp"
#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "testing/guard_page.hpp"
#include "testing/naive_command.hpp"

namespace {

using namespace postern;

constexpr std::size_t most_octets = 16 * 1024;

void must(bool is_so) {
  if (!is_so) std::abort();
}

bool is_inside(std::string_view view, std::string_view line) {
  return view.empty() || (view.data() >= line.data() && view.data() + view.size() <= line.data() + line.size());
}

using Parsed = std::expected<grammar::Command, grammar::SyntaxError>;

// The naive reader follows every alternative at once, which takes long: only one short line in eight is read by it.
bool is_for_naive(std::string_view line) {
  unsigned sum = 0;
  for (const char octet : line) sum = sum * 31 + static_cast<unsigned char>(octet);
  return line.size() <= 64 && sum % 8 == 0;
}

void check_views(const Parsed& parsed, std::string_view line) {
  if (!parsed) return must(parsed.error().offset <= line.size());
  const grammar::Command& command = *parsed;
  for (const std::string_view view : {command.argument, command.path.local_part, command.path.domain, command.mechanism,
                                      command.initial_response, command.parameters.auth_mailbox})
    must(is_inside(view, line));
  static testing::GuardedOctets out(most_octets);
  const std::size_t most = command.path.local_part.size() + command.path.domain.size() + 1;
  must(grammar::write_mailbox(command.path, out.space_before_guard(most)) <= most);
}

bool is_same(std::string_view one, std::string_view other) {
  return one.size() == other.size() && (one.empty() || one.data() == other.data());
}

// Both read the same octets: they must show the same places of them.
void check_same(const Parsed& parsed, const Parsed& other) {
  must(parsed.has_value() == other.has_value());
  if (!parsed) return must(parsed.error() == other.error());
  const grammar::Command &a = *parsed, &b = *other;
  must(a.verb == b.verb && is_same(a.argument, b.argument) && is_same(a.path.local_part, b.path.local_part) &&
       is_same(a.path.domain, b.path.domain) && is_same(a.mechanism, b.mechanism) &&
       is_same(a.initial_response, b.initial_response) &&
       is_same(a.parameters.auth_mailbox, b.parameters.auth_mailbox) &&
       a.parameters.has_size == b.parameters.has_size && a.parameters.size_octets == b.parameters.size_octets &&
       a.parameters.body == b.parameters.body);
}

void check_naive(const Parsed& parsed, std::string_view line) {
  const auto naive = testing::read_command(line);
  must(parsed.has_value() == naive.has_value());
  if (!parsed) return must(parsed.error() == naive.error());
  must(testing::owned(*parsed) == *naive);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > most_octets) return 0;
  static testing::GuardedOctets guarded(most_octets);
  const std::string_view line = guarded.before_guard({reinterpret_cast<const char*>(data), size});
  const auto parsed = grammar::parse_command(line);
  const auto by_octets = grammar::parse_command_over(grammar::Octets{}, line);
  check_views(parsed, line);
  check_same(parsed, by_octets);
  if (is_for_naive(line)) check_naive(parsed, line);
  return 0;
}
