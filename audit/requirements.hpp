// What binds us, row by row, and what makes each sure: for a law the rows that it serves, for a row its laws.
// in      docs/requirements.toml as it was when this program was built; none when there was no such file
// lives   for ever
// source  docs/requirements.toml
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::audit {

struct Requirement {
  std::string id, document, section, level, binds, text;
  std::vector<std::string> covered_by;  // `law:NAME`, `rule:ID`, `dialogue:FILE`, ...

  // The names of that kind, `law` or `dialogue`.
  [[nodiscard]] std::vector<std::string> covers(std::string_view kind) const;
};

[[nodiscard]] const std::vector<Requirement>& requirements();
[[nodiscard]] std::vector<const Requirement*> requirements_of_law(std::string_view law);

}  // namespace postern::audit
