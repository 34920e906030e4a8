// What was set for another program and has no effect here.
// in      the variables of a start; the control files of the current folder
// out     Finding: the row of spec/foreign.toml, and a sentence with place and remedy
// errors  none; a control file that cannot be read counts as one that is there
// source  spec/foreign.toml
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.hpp"
#include "spec/foreign.hpp"

namespace postern::config {

struct ForeignFinding {
  spec::ForeignStart start;  // at the value that was found
  std::string sentence;
};

// A variable, and what AUTH_SET_ would make of it for users.
[[nodiscard]] std::vector<ForeignFinding> find_foreign_variables(const base::Environment& environment,
                                                                 std::string_view origin);
[[nodiscard]] std::vector<ForeignFinding> find_foreign_files();
// One variable by its name, with or without AUTH_SET_, that is set for the users or clients of `place`.
[[nodiscard]] std::optional<ForeignFinding> find_foreign(std::string_view name, std::string_view value,
                                                         std::string_view place);

}  // namespace postern::config
