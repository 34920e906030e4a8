// Every number of spec/limits.hpp, as the snapshot shows it: so a changed limit changes the policy's hash.
// in      the folder of limits.hpp, or its text
// out     Limit: name and value as written there, in the order of the file
// errors  Problems: a statement that is no `inline constexpr TYPE NAME = VALUE;`
// source  spec/limits.hpp
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spec/model.hpp"

namespace postern::spec {

struct Limit {
  std::string name, value;
};

[[nodiscard]] std::vector<Limit> load_limits(const std::filesystem::path& folder, Problems& problems);
[[nodiscard]] std::vector<Limit> parse_limits(std::string_view text, Problems& problems);

}  // namespace postern::spec
