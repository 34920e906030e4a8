// The build-time program that makes spec/options.toml tables: for the readers, and for the manual.
//
//   write_options SPEC_FOLDER OUTPUT_FOLDER    writes option_names.hpp, option_rows.cpp, option_tables.md
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "spec/limits_file.hpp"
#include "spec/toml_file.hpp"
#include "spec/write_texts.hpp"

namespace {

using namespace postern::spec;
namespace fs = std::filesystem;

struct OptionText {
  std::string name, kind, unit, default_value, unset, meaning, source;
  std::vector<std::string> where, words;
  std::optional<std::int64_t> least, most;
  bool wants_restart, has_limit, is_setting, is_set_when_unreadable;
  unsigned line;

  [[nodiscard]] bool is_variable() const { return name.front() >= 'A' && name.front() <= 'Z'; }
  [[nodiscard]] bool may_stand_in(std::string_view place) const {
    return std::ranges::find(where, place) != where.end();
  }
};

// The place, and its enumerator.
struct PlaceName {
  std::string_view word, enumerator;
};
constexpr PlaceName places[] = {{"environment", "environment"},
                                {"class", "tcp_class"},
                                {"variables", "variables"},
                                {"listener", "listener"},
                                {"server", "server"},
                                {"limits", "limits"},
                                {"tls", "tls"}};
constexpr std::string_view kinds[] = {"boolean", "number", "text",  "path",     "address",
                                      "word",    "list",   "reply", "dns_lists"};

class Loader {
 public:
  Loader(const fs::path& folder, Problems& problems)
      : settings_(folder, "settings.toml", problems),
        options_(folder, "options.toml", problems),
        limits_(load_limits(folder, problems)) {}

  std::vector<OptionText> load() {
    settings_.each("setting", {"name", "default", "meaning", "source", "unreadable"}, 4,
                   [&](const toml::table& row, unsigned line) {
                     OptionText& setting = policy_.emplace_back();
                     setting.name = text_of(row, "name");
                     setting.default_value = text_of(row, "default");
                     setting.is_set_when_unreadable = text_of(row, "unreadable") == "1";
                     setting.meaning = text_of(row, "meaning");
                     setting.source = text_of(row, "source");
                     setting.line = line;
                   });
    options_.each("option",
                  {"name", "kind", "where", "meaning", "source", "least", "most", "unit", "default", "limit", "unset",
                   "words", "restart"},
                  3, [&](const toml::table& row, unsigned line) { take(row, line); });
    for (const OptionText& setting : policy_)
      if (std::ranges::find(rows_, setting.name, &OptionText::name) == rows_.end())
        settings_.problem(setting.line, setting.name + " has no row in options.toml: an operator could not set it");
    return std::move(rows_);
  }

 private:
  void take(const toml::table& row, unsigned line) {
    OptionText option{.name = text_of(row, "name"),
                      .kind = text_of(row, "kind"),
                      .unit = text_of(row, "unit"),
                      .default_value = text_of(row, "default"),
                      .unset = text_of(row, "unset"),
                      .meaning = text_of(row, "meaning"),
                      .source = text_of(row, "source"),
                      .where = texts_of(row, "where"),
                      .words = texts_of(row, "words"),
                      .least = row["least"].value<std::int64_t>(),
                      .most = row["most"].value<std::int64_t>(),
                      .wants_restart = row["restart"].value_or(false),
                      .has_limit = row.contains("limit"),
                      .is_setting = text_of(row, "kind") == "setting",
                      .is_set_when_unreadable = false,
                      .line = line};
    options_.refuse_twins(rows_, option.name, line);
    if (option.is_setting) take_setting(option);
    if (option.has_limit) option.default_value = limit(text_of(row, "limit"), line);
    judge(option);
    rows_.push_back(std::move(option));
  }

  // A setting of the policy: what is decided stands in settings.toml.
  void take_setting(OptionText& option) {
    const OptionText& setting = policy_[options_.find(policy_, option.name, option.line, "setting")];
    option.kind = "boolean";
    option.meaning = setting.meaning;
    option.source = setting.source;
    option.is_set_when_unreadable = setting.is_set_when_unreadable;
    option.default_value = option.unset.empty() ? setting.default_value : "";
    const bool is_plain = setting.default_value == "0" || setting.default_value == "1";
    if (is_plain != option.unset.empty())
      options_.problem(option.line,
                       option.name + ": `unset` is for a default that is a fact, and must be there for one");
  }

  std::string limit(const std::string& name, unsigned line) {
    std::string value = limits_[options_.find(limits_, name, line, "limit")].value;
    std::erase(value, '\'');
    return value;
  }

  void judge(const OptionText& option) {
    const auto wrong = [&](const std::string& what) { options_.problem(option.line, option.name + ": " + what); };
    if (std::ranges::find(kinds, option.kind) == std::end(kinds)) wrong("unknown kind \"" + option.kind + "\"");
    for (const std::string& word : option.where)
      if (std::ranges::find(places, word, &PlaceName::word) == std::end(places))
        wrong("unknown place \"" + word + "\"");
    if (option.where.empty()) wrong("it may stand nowhere");
    if (option.meaning.empty() || option.source.empty()) wrong("without meaning or source");
    if (!option.default_value.empty() && !option.unset.empty()) wrong("`default` and `unset` say the same twice");
    if (option.kind != "number" && (option.least || option.most)) wrong("a range is for a number");
    if (option.least.value_or(0) < 0 || option.most.value_or(option.least.value_or(0)) < option.least.value_or(0))
      wrong("a range that holds nothing");
    if ((option.kind == "word") == option.words.empty()) wrong("`words` is for a word, and must be there for one");
    if (option.is_variable() && option.wants_restart) wrong("a variable is read with each start of a client");
  }

  TomlFile settings_, options_;
  std::vector<Limit> limits_;
  std::vector<OptionText> policy_, rows_;
};

std::string range(const OptionText& option) {
  const std::string least = std::to_string(option.least.value_or(0));
  return option.most ? "from " + least + " to " + std::to_string(*option.most) : "";
}

// `accept and refuse`
std::string listed(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : &word == &words.back() ? " and " : ", ") + word;
  return list;
}

// What a variable may be: the end of the sentence about one that is not.
std::string allowed(const OptionText& option) {
  const std::string number = option.most ? "only a number " + range(option) + " is allowed" : "only digits are allowed";
  std::string text = option.kind == "boolean"  ? "only 0 and 1 are allowed"
                     : option.kind == "number" ? number
                     : option.kind == "word"   ? "only " + listed(option.words) + " are allowed"
                                               : "";
  const std::string& otherwise = option.unset.empty() ? option.default_value : option.unset;
  if (text.empty() || !option.is_variable() || otherwise.empty()) return text;
  return text + " (unset or empty means " + otherwise + ")";
}

std::string row_text(const OptionText& option, Texts& texts) {
  std::string words, where;
  for (const std::string& word : option.words) words += word + " ";
  unsigned bits = 0;
  for (std::size_t i = 0; i < std::size(places); ++i) bits |= option.may_stand_in(places[i].word) ? 1U << i : 0U;
  const std::uint64_t most =
      option.most ? static_cast<std::uint64_t>(*option.most) : std::numeric_limits<std::uint64_t>::max();
  return "    {" + texts.add(option.name) + ", " + texts.add(allowed(option)) + ", " + texts.add(words) + ", " +
         std::to_string(option.least.value_or(0)) + "U, " + std::to_string(most) + "U, OptionKind::" + option.kind +
         ", " + std::to_string(bits) + ", " + (option.wants_restart ? "true" : "false") + "},\n";
}

std::string write_rows(const std::vector<OptionText>& options) {
  Texts texts;
  std::string rows;
  for (const OptionText& option : options) rows += row_text(option, texts);
  return "// Written by spec/write_options.cpp from spec/options.toml.\n#include \"spec/options.hpp\"\n\n"
         "namespace postern::spec {\nnamespace {\n" +
         texts.definition() + "constexpr OptionRow rows[] = {\n" + rows +
         "};\n}  // namespace\n\nstd::span<const OptionRow> option_rows() { return rows; }\n"
         "const OptionRow& row_of(Option option) { return rows[static_cast<std::size_t>(option)]; }\n"
         "std::string_view option_text(TextAt at) { return {all_text + at.offset, at.octets}; }\n\n"
         "}  // namespace postern::spec\n";
}

// The default as a constant, where it is one value that stands nowhere else.
std::string default_constant(const OptionText& option) {
  if (option.default_value.empty() || option.has_limit || option.is_variable()) return {};
  if (option.kind == "number")
    return "inline constexpr std::uint32_t " + option.name + " = " + option.default_value + ";\n";
  if (option.kind == "boolean") return "inline constexpr bool " + option.name + " = " + option.default_value + ";\n";
  return "inline constexpr const char* " + option.name + " = \"" + option.default_value + "\";\n";
}

std::string write_names(const std::vector<OptionText>& options) {
  std::string names, settings, defaults, counts;
  for (const OptionText& option : options) {
    names += "  " + option.name + ",\n";
    if (option.is_setting)
      settings += "    {Option::" + option.name + ", bit::" + option.name + ", " +
                  (option.is_set_when_unreadable ? "true" : "false") + "},\n";
    defaults += default_constant(option);
  }
  for (const PlaceName& place : places)
    counts += "inline constexpr std::size_t " + std::string(place.enumerator) + " = " +
              std::to_string(std::ranges::count_if(
                  options, [&](const OptionText& o) { return !o.is_variable() && o.may_stand_in(place.word); })) +
              ";\n";
  return "// Written by spec/write_options.cpp from spec/options.toml. Names only: shapes are in spec/options.hpp.\n"
         "#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\n#include \"spec/policy_names.hpp\"\n\nnamespace "
         "postern::spec {\n\n"
         "// A scoped name shadows nothing; GCC thinks that it does.\n#pragma GCC diagnostic push\n"
         "#pragma GCC diagnostic ignored \"-Wshadow\"\nenum class Option : std::uint8_t {\n" +
         names + "};\n#pragma GCC diagnostic pop\ninline constexpr std::size_t option_count = " +
         std::to_string(options.size()) +
         ";\n\n// Those that a decision depends on.\nstruct SettingOption {\n  Option option;\n  std::uint64_t "
         "bit;\n  bool when_unreadable;\n};\n"
         "inline constexpr SettingOption setting_options[] = {\n" +
         settings + "};\n\n// What a key is where the file does not have it.\nnamespace default_of {\n" + defaults +
         "}  // namespace default_of\n\n// How many keys there are in each table of the file.\nnamespace keys_in {\n" +
         counts + "}  // namespace keys_in\n\n}  // namespace postern::spec\n";
}

// The column of what is allowed, in the manual.
std::string values(const OptionText& option) {
  if (option.kind == "boolean") return option.is_variable() ? "`0`, `1`" : "`true`, `false`";
  if (option.kind == "number") {
    constexpr std::int64_t as_good_as_none = std::numeric_limits<std::uint32_t>::max();
    const std::int64_t most = option.most.value_or(as_good_as_none);
    if (most == as_good_as_none) return option.unit.empty() ? "number" : option.unit;
    return std::to_string(option.least.value_or(0)) + " to " + std::to_string(most) +
           (option.unit.empty() ? "" : " " + option.unit);
  }
  if (option.kind == "dns_lists") return "DNS lists";
  std::string words;
  for (const std::string& word : option.words) words += (words.empty() ? "`\"" : ", `\"") + word + "\"`";
  return words.empty() ? option.kind : words;
}

std::string default_cell(const OptionText& option) {
  if (option.default_value.empty()) return option.unset.empty() ? "" : " " + option.unset;
  const bool is_quoted = !option.is_variable() && option.kind != "number" && option.kind != "boolean";
  return is_quoted ? " `\"" + option.default_value + "\"`" : " `" + option.default_value + "`";
}

std::string table(const std::vector<OptionText>& options, const std::string& head, std::string_view place,
                  bool variables) {
  std::string text = "| " + head + " | default | value | meaning |\n|---|---|---|---|\n";
  for (const OptionText& option : options)
    if (option.may_stand_in(place) && option.is_variable() == variables)
      text +=
          "| `" + option.name + "` |" + default_cell(option) + " | " + values(option) + " | " + option.meaning + " |\n";
  return text;
}

std::string write_tables(const std::vector<OptionText>& options) {
  std::string text = table(options, "variable", "environment", true);
  for (const std::string place : {"server", "limits", "tls"})
    text += "\n" + table(options, "in `[" + place + "]`", place, false);
  return text + "\n" + table(options, "in `[[listener]]`", "listener", false);
}

bool write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  return static_cast<bool>(file.flush());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: write_options SPEC_FOLDER OUTPUT_FOLDER\n", stderr), 2;
  const fs::path output = argv[2];
  Problems problems;
  std::vector<OptionText> options = Loader(argv[1], problems).load();
  for (const Problem& problem : problems)
    std::fprintf(stderr, "%s/%s:%u: %s\n", argv[1], problem.file.c_str(), problem.line, problem.what.c_str());
  if (!problems.empty()) return 1;
  const bool done = write(output / "option_names.hpp", write_names(options)) &&
                    write(output / "option_rows.cpp", write_rows(options)) &&
                    write(output / "option_tables.md", write_tables(options));
  return done ? 0 : 1;
}
