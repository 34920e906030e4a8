// Files that are part of the program: it needs nothing besides itself to speak about the policy it was built with.
// lives   for ever
// source  cli/CMakeLists.txt, cli/embed.cmake
#pragma once

#include <string_view>

namespace postern::audit {

[[nodiscard]] std::string_view settings_toml();
[[nodiscard]] std::string_view events_toml();
[[nodiscard]] std::string_view policy_toml();
[[nodiscard]] std::string_view replies_toml();
[[nodiscard]] std::string_view limits_hpp();
[[nodiscard]] std::string_view laws_toml();  // empty when it was missing
[[nodiscard]] std::string_view requirements_toml();
[[nodiscard]] std::string_view killed_mutants_toml();
[[nodiscard]] std::string_view explorer_html();  // the template of the explorer

}  // namespace postern::audit
