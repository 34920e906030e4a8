// What an oracle of a fuzz target says before it ends the process: what is wrong, and the text in which it is.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace postern::fuzz {

inline void must(bool is_so, const char* what, std::string_view text = {}) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n", what);
  if (!text.empty()) std::fprintf(stderr, "--- %.*s\n", static_cast<int>(text.size()), text.data());
  std::abort();
}

}  // namespace postern::fuzz
