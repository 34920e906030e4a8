// Values of a TOML file, each taken with its place, and what is wrong with them: all of it, not only the first.
// in      a key and its node
// out     the value, in what the caller gives; untouched when it is not allowed
// errors  FileProblems: `postern.toml line 7: loops = "two": only a number from 1 to 256 is allowed`
// source  toml.io/en/v1.0.0
#pragma once

#include <toml++/toml.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/network.hpp"

namespace postern::cli {

class FileProblems {
 public:
  explicit FileProblems(std::string file) : file_(std::move(file)) {}
  void add(const toml::source_region& at, std::string_view sentence);
  [[nodiscard]] std::string place(const toml::source_region& at) const;  // `postern.toml line 7`
  [[nodiscard]] bool is_empty() const { return problems_.empty(); }
  [[nodiscard]] std::size_t count() const { return problems_.size(); }
  [[nodiscard]] std::vector<std::string> sentences() &&;  // by line

 private:
  struct Problem {
    std::uint32_t line;
    std::string sentence;
  };
  std::string file_;
  std::vector<Problem> problems_;
};

struct FileValue {
  static constexpr std::size_t max_shown_octets = 100;  // of what the file has, before `...`
  std::string_view name;
  const toml::node& node;
  FileProblems& problems;

  void not_allowed(std::string_view what) const;  // what is: `only ... is allowed`
  void flag(bool& out) const;
  // Not empty, no control octets.
  void text(std::string& out) const;
  void texts(std::vector<std::string>& out) const;
  void domains(std::vector<std::string>& out) const;  // as in control/rcpthosts
  void networks(std::vector<base::Network>& out) const;
  void endpoint(std::optional<base::Endpoint>& out) const;
  // The index of the word.
  [[nodiscard]] std::optional<std::size_t> choice(const std::vector<std::string_view>& words) const;
  template <std::unsigned_integral Number>
  void number(Number& out, std::uint32_t least, std::uint32_t most) const {
    const auto found = number_between(least, most);
    if (found) out = static_cast<Number>(*found);
  }

 private:
  [[nodiscard]] std::optional<std::uint32_t> number_between(std::uint32_t least, std::uint32_t most) const;
};

[[nodiscard]] std::string written(const toml::node& node);  // as the file has it, on one line
[[nodiscard]] bool is_clean(std::string_view text);         // no control octets
// What the file has as a sentence may have it: whole characters, `...` for more than so many octets, and `?` for what is not
// UTF-8, is a control character, or turns a line round.
[[nodiscard]] std::string on_one_line(std::string_view octets, std::size_t most_octets);
// The same with max_shown_octets, or nothing when a `?` would stand in it.
[[nodiscard]] std::string shown(std::string_view octets);
[[nodiscard]] std::string shown_key(std::string_view key);

// What goes after `is no key`: `: did you mean loops? Only home, user, loops are`; `, only home, user, loops are` where none of
// the names is near.
[[nodiscard]] std::string only_these(std::string_view word, const std::vector<std::string>& names);

struct FileKey {
  std::string_view name;
  std::function<void(const FileValue&)> take;
};

// Gives each value to its key; an unknown key is a problem, which `elsewhere` may explain, or excuse.
using Elsewhere = std::function<std::optional<std::string>(std::string_view key)>;
void take_table(const toml::table& table, const std::vector<FileKey>& keys, FileProblems& problems,
                const Elsewhere& elsewhere = {});

}  // namespace postern::cli
