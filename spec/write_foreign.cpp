// The build-time program that makes spec/foreign.toml a table.
//
//   write_foreign SPEC_FOLDER OUTPUT_FILE
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "spec/toml_file.hpp"

namespace {

using namespace postern::spec;

std::string quoted(const std::string& text) { return "R\"~(" + text + ")~\""; }

std::string words(const toml::table& row, std::string_view key) {
  std::string all;
  for (const std::string& word : texts_of(row, key)) all += word + " ";
  return all;
}

// The enumerator that a word of the row stands for.
std::string enumerator(TomlFile& file, const toml::table& row, std::string_view key, unsigned line,
                       const std::vector<std::string>& allowed) {
  std::string word = text_of(row, key);
  if (std::ranges::find(allowed, word) == allowed.end()) file.problem(line, std::string(key) + " \"" + word + "\"");
  return word;
}

std::string row_text(TomlFile& file, const toml::table& row, unsigned line) {
  const bool is_variable = enumerator(file, row, "kind", line, {"variable", "control"}) == "variable";
  const std::string kind = is_variable ? "variable" : enumerator(file, row, "content", line, {"list", "value"});
  return "    {" + quoted(text_of(row, "name")) + ", ForeignKind::" + kind +
         ", ForeignStart::" + enumerator(file, row, "start", line, {"refuse", "warn", "note"}) + ", " +
         quoted(words(row, "idle")) + ", " + quoted(words(row, "warns_at")) + ", " + quoted(text_of(row, "does")) +
         ", " + quoted(text_of(row, "instead")) + ", " + quoted(text_of(row, "source")) + "},\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: write_foreign SPEC_FOLDER OUTPUT_FILE\n", stderr), 2;
  Problems problems;
  TomlFile file(std::filesystem::path(argv[1]), "foreign.toml", problems);
  std::string rows;
  file.each("foreign", {"name", "kind", "start", "does", "instead", "source", "content", "idle", "warns_at"}, 6,
            [&](const toml::table& row, unsigned line) { rows += row_text(file, row, line); });
  for (const Problem& problem : problems)
    std::fprintf(stderr, "%s/%s:%u: %s\n", argv[1], problem.file.c_str(), problem.line, problem.what.c_str());
  if (!problems.empty()) return 1;
  std::ofstream out(argv[2]);
  out << "// Written by spec/write_foreign.cpp from spec/foreign.toml.\n#include \"spec/foreign.hpp\"\n\n"
         "namespace postern::spec {\nnamespace {\nconstexpr ForeignRow rows[] = {\n"
      << rows << "};\n}  // namespace\n\nstd::span<const ForeignRow> foreign_rows() { return rows; }\n\n"
      << "}  // namespace postern::spec\n";
  return out.flush() ? 0 : 1;
}
