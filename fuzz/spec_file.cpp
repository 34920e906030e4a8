// The reader of the spec: [which file] then its text; the other files are the real ones.
// oracle  each problem names a file of the spec, a line that is there, and says something; the same text gives the same
//         problems; a spec without problems can be made into rows
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "fuzz/spec_folder.hpp"
#include "spec/laws.hpp"
#include "spec/model.hpp"
#include "spec/verify.hpp"

namespace {

using namespace postern::spec;

constexpr std::array names{"settings.toml", "events.toml", "policy.toml", "replies.toml", "laws.toml"};
using Texts = std::array<std::string, names.size()>;

Texts real_texts() {
  Texts texts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::stringstream text;
    text << std::ifstream(postern::fuzz::spec_folder() / names[i]).rdbuf();
    texts[i] = text.str();
  }
  return texts;
}

void must(bool is_so, const char* what, const Problem& problem) {
  if (is_so) return;
  std::fprintf(stderr, "%s: %s:%u: %s\n", what, problem.file.c_str(), problem.line, problem.what.c_str());
  std::abort();
}

Problems read(const Texts& texts) {
  Problems problems;
  const Model model = parse_model({texts[0], texts[1], texts[2], texts[3]}, problems);
  if (problems.empty()) static_cast<void>(parse_laws(texts[4], model, problems));
  if (problems.empty()) static_cast<void>(rows_of(model));
  return problems;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Texts real = real_texts();
  if (size < 1) return 0;
  Texts texts = real;
  texts[data[0] % names.size()].assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Problems problems = read(texts);
  for (const Problem& problem : problems) {
    const auto at = std::ranges::find(names, problem.file) - names.begin();
    must(at < static_cast<std::ptrdiff_t>(names.size()), "a problem in no file", problem);
    const auto lines = 1 + std::ranges::count(texts[static_cast<std::size_t>(at)], '\n');
    must(problem.line >= 1 && problem.line <= lines, "a problem in no line", problem);
    must(!problem.what.empty(), "a problem that says nothing", problem);
  }
  const Problems again = read(texts);
  const auto same = [](const Problem& one, const Problem& other) {
    return one.file == other.file && one.line == other.line && one.what == other.what;
  };
  if (!std::ranges::equal(problems, again, same)) std::abort();
  return 0;
}
