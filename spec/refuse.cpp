#include "spec/refuse.hpp"

#include <cstdio>

namespace postern::spec {

int refuse(const Problems& problems) {
  for (const Problem& problem : problems)
    std::fprintf(stderr, "%s:%u: %s\n", problem.file.c_str(), problem.line, problem.what.c_str());
  return 1;
}

}  // namespace postern::spec
