// Where an operator keeps variables: the process environment, a file, an envdir.
// out     Variables, NAME=VALUE, and where they came from; remarks on what was left out
// errors  UsageError when it cannot be read
// source  envdir(8): file name = variable, first line = value, NUL = newline, trailing blanks cut, empty file = unset;
//         service-qmail-smtpd-run and systemd's EnvironmentFile for files
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::cli {

struct Variables {
  std::string origin;                // "the environment", "smtpd.env"
  std::vector<std::string> strings;  // NAME=VALUE, each name once
  std::vector<std::string> remarks;

  void set(std::string_view name, std::string_view value);
  void unset(std::string_view name);
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::string value_of(std::string_view name) const;  // empty when unset
  // As `environ`: pointers into `strings`, a null pointer at the end.
  [[nodiscard]] std::vector<const char*> environment() const;
};

[[nodiscard]] Variables process_environment();
// Lines NAME=VALUE, with or without `export`, quotes, comments. In a script (first line #!) other lines are skipped.
[[nodiscard]] Variables read_environment_file(const std::string& path);
[[nodiscard]] Variables read_environment_folder(const std::string& path);

}  // namespace postern::cli
