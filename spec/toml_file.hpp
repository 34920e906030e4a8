// One TOML file of the spec, read with what is needed to say where a problem is.
// in      the folder and the file's name, or its text and name
// out     its [[rows]], one after the other, each with its line
// errors  Problems: what the parser says, a missing or unknown key, a name that is unknown or stands twice
// source  spec/*.toml
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec/model.hpp"

namespace postern::spec {

inline std::string text_of(const toml::table& row, std::string_view key) { return row[key].value_or(std::string()); }

class TomlFile {
 public:
  TomlFile(const std::filesystem::path& folder, std::string name, Problems& problems)
      : name_(std::move(name)), problems_(problems) {
    read([&] { return toml::parse_file((folder / name_).string()); });
  }
  // A file that was read already; the text may be gone when this is built.
  TomlFile(std::string_view text, std::string name, Problems& problems) : name_(std::move(name)), problems_(problems) {
    read([&] { return toml::parse(text, name_); });
  }

  [[nodiscard]] bool has(std::string_view key) const { return root_.contains(key); }

  void problem(unsigned line, std::string what) { problems_.push_back({name_, line, std::move(what)}); }

  // Calls take(row, line) for every [[key]]; each row may have only the keys named, and must have the first `required`.
  template <typename Take>
  void each(std::string_view key, std::vector<std::string_view> keys, std::size_t required, Take take) {
    const toml::array* rows = root_[key].as_array();
    if (rows == nullptr) return problem(1, "no [[" + std::string(key) + "]] here");
    for (const toml::node& node : *rows) {
      const toml::table& row = *node.as_table();
      const unsigned line = row.source().begin.line;
      for (std::size_t i = 0; i < required; ++i) {
        if (!row.contains(keys[i])) problem(line, "[[" + std::string(key) + "]] without " + std::string(keys[i]));
      }
      for (const auto& [name, value] : row) {
        if (std::ranges::find(keys, name.str()) == keys.end())
          problem(value.source().begin.line, "unknown key " + std::string(name.str()));
      }
      take(row, line);
    }
  }

  // The index of the row with that name; a problem when there is none.
  template <typename Rows>
  std::size_t find(const Rows& rows, std::string_view name, unsigned line, std::string_view kind) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].name == name) return i;
    }
    problem(line, "unknown " + std::string(kind) + " \"" + std::string(name) + "\"");
    return 0;
  }

  template <typename Rows>
  void refuse_twins(const Rows& rows, std::string_view name, unsigned line) {
    if (std::ranges::any_of(rows, [&](const auto& row) { return row.name == name; }))
      problem(line, "a second \"" + std::string(name) + "\"");
  }

 private:
  template <typename Parse>
  void read(Parse parse) {
    try {
      root_ = parse();
    } catch (const toml::parse_error& error) {
      problem(error.source().begin.line, std::string(error.description()));
    }
  }

  std::string name_;
  toml::table root_;
  Problems& problems_;
};

inline std::vector<std::string> texts_of(const toml::table& row, std::string_view key) {
  std::vector<std::string> result;
  if (const toml::array* values = row[key].as_array()) {
    for (const toml::node& value : *values) result.push_back(value.value_or(std::string()));
  }
  return result;
}

}  // namespace postern::spec
