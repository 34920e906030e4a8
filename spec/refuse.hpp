// What a program says that cannot read the spec.
// in      Problems
// out     a line each on stderr: FILE:LINE: SENTENCE; and 1, the exit code
#pragma once

#include "spec/model.hpp"

namespace postern::spec {

[[nodiscard]] int refuse(const Problems& problems);

}  // namespace postern::spec
