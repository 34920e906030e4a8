// A whole session, settings and world included: whatever the client sends, in whatever pieces.
// oracle  fuzz/play.hpp at every step; pieces of any size and a sibling after STARTTLS do and say the same as one piece
//         and one session; one input in sixteen goes to the second opinion octet by octet
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "fuzz/mutate.hpp"
#include "fuzz/play.hpp"
#include "fuzz/show.hpp"
#include "fuzz/spec_folder.hpp"

namespace {

using namespace postern;
using testing::AfterStarttls;
namespace bit = spec::bit;

[[noreturn]] void fail(std::span<const std::uint8_t> octets, const std::string& what) {
  std::fprintf(stderr, "%s\n%s", what.c_str(), fuzz::show_session(octets).c_str());
  std::abort();
}

// Which changes of state a session makes: libFuzzer keeps an input that makes a new one, as one that reaches new code.
[[gnu::section("__libfuzzer_extra_counters"), gnu::used]] std::uint8_t changes[4096];

void count_changes(const fuzz::Trace& trace) {
  constexpr std::uint64_t given = bit::SSL | bit::FORCE_TLS | bit::DENY_TLS | bit::AUTH | bit::REQUIRE_AUTH |
                                  bit::ALLOW_INSECURE_AUTH | bit::certificate | bit::backend | bit::relay_client |
                                  bit::local_only;
  for (const testing::Decision& decision : trace.decisions) {
    std::uint64_t hash = (decision.before.bits & ~given) * 0x9E3779B97F4A7C15U;
    hash = (hash ^ hash >> 29U ^ (decision.after.bits & ~given)) * 0xC2B2AE3D27D4EB4FU;
    hash = (hash ^ hash >> 31U ^ static_cast<std::uint64_t>(decision.event)) * 0x165667B19E3779F9U;
    changes[hash >> 52U] = 1;
  }
}

// One input in sixteen; while fuzz/minimise changes one, all.
bool is_for_reference(std::span<const std::uint8_t> octets) {
  static const bool asks_always = std::getenv("POSTERN_FUZZ_SECOND_OPINION") != nullptr;
  if (asks_always) return true;
  unsigned sum = 0;
  for (const std::uint8_t octet : octets) sum = sum * 31 + octet;
  return sum % 16 == 0;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_session({data, most}, size, seed);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,
                                                 const std::uint8_t* other, std::size_t other_size, std::uint8_t* out,
                                                 std::size_t most, unsigned seed) {
  return fuzz::cross_sessions({one, one_size}, {other, other_size}, {out, most}, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testing::Judge judge(fuzz::spec_folder());
  static fuzz::Player player(judge);
  const std::span octets(data, size);
  if (size > fuzz::most_octets) return 0;
  const fuzz::SessionView view = fuzz::view_session_input(octets);
  const fuzz::Trace& whole = player.play(view, fuzz::most_octets, AfterStarttls::same_session);
  if (!player.complaint().empty()) fail(octets, player.complaint());
  count_changes(whole);
  const fuzz::Trace& cut = player.play(view, view.piece_octets, AfterStarttls::sibling, &whole);
  if (!player.complaint().empty()) fail(octets, "when cut: " + player.complaint());
  if (whole.said != cut.said || whole.decisions.size() != cut.decisions.size())
    fail(octets, "a cut changes the session");
  if (!is_for_reference(octets)) return 0;
  const std::string wanted = fuzz::said_by_reference(view);
  if (!wanted.empty() && wanted != whole.said)
    fail(octets, "the second opinion says\n" + wanted + "\nnot\n" + whole.said);
  return 0;
}
