// The variables in capitals that postern-smtpd reads, as `postern serve` takes them from its file.
// in      a value of the file: a number without quotes for switches and numbers, else a text
// out     NAME=VALUE; the values are judged by the reader of the environment, one at a time for the sake of their places
// errors  FileProblems; what a variable of the process would do with a file: a sentence each
// source  docs/operating.md: Variables; deviation D11
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/file_value.hpp"

namespace postern::cli {

[[nodiscard]] bool is_variable(std::string_view name);
[[nodiscard]] bool is_in_capitals(std::string_view name);
// Why there is no such variable: what it is called, or where it belongs.
[[nodiscard]] std::string no_variable(std::string_view name);

[[nodiscard]] std::optional<std::string> take_variable(const FileValue& value);

// The environment has no effect with a file, and must not seem to.
[[nodiscard]] std::vector<std::string> variables_beside(const std::string& file, const char* const* environment);

}  // namespace postern::cli
