// A whole session, settings and world included: whatever the client sends, in whatever pieces.
// oracle  one piece, pieces of any size and a sibling after STARTTLS do and say the same; every law of spec/laws.toml
// and
//         proptests/laws.hpp at every step; input before an unreadable page; the sanitizers
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "fuzz/session_input.hpp"
#include "proptests/law_book.hpp"

namespace {

using namespace postern;

void must(bool is_so, const char* what, std::string_view detail) {
  if (is_so) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

const proptests::LawBook& laws() {
  static const proptests::LawBook book(POSTERN_SOURCE_FOLDER "/spec");
  return book;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tests::AfterStarttls;
  const fuzz::SessionInput input = fuzz::read_session_input(std::span(data, size));
  const auto whole = proptests::play(laws(), input.script, {}, AfterStarttls::same_session);
  must(whole.broken_law.empty(), "a law is broken", whole.broken_law);
  must(whole.replay.problem.empty(), "the session broke its contract", whole.replay.problem);
  const auto cut = proptests::play(laws(), input.script, input.cut, AfterStarttls::sibling);
  must(cut.broken_law.empty(), "a law is broken when cut", cut.broken_law);
  if (!(cut.replay == whole.replay))
    must(false, "a cut changes the session",
         tests::difference(tests::lines_of(whole.replay), tests::lines_of(cut.replay)));
  return 0;
}
