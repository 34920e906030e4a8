// A program that will be run one day: where exec finds it, and why it would not run. Asked at the start, not by the first client.
// in      the name that is given to exec; PATH of the environment that it gets
// out     its path; an objection, as a part of a sentence with the remedy; empty: none is known
// bound   its first 256 octets are read. What a program needs beside its interpreter is not seen from here
// source  execvp(3), execve(2)
#pragma once

#include <string>
#include <string_view>

#include "base/environment.hpp"

namespace postern::base {

// As execvp(3) looks for a name without a slash; empty when no folder of PATH has a program of that name.
[[nodiscard]] std::string find_program(std::string_view name, const Environment& environment);

// `is not there`, `is a folder: ...`, `may not be executed by this user: ...`
[[nodiscard]] std::string objection_to_program(const std::string& path);

}  // namespace postern::base
