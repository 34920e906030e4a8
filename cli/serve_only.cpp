// serve_only: `postern serve -c FILE` and no other verb, in a third of the time that `postern` takes to build. What the thread
// sanitizer looks at.
#include <cstdio>
#include <string_view>

#include "cli/serve_start.hpp"

int main(int argc, char** argv) {
  using namespace std::string_view_literals;
  if (argc == 4 && argv[1] == "serve"sv && argv[2] == "-c"sv) return postern::cli::serve_file(argv[3]);
  std::fputs("usage: serve_only serve -c FILE\n", stderr);
  return 100;
}
