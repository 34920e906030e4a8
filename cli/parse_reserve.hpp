// Memory that is kept while a file is parsed, for the thread that parses: the parser of TOML ends the process when an allocation
// fails within it. It is given back at that thread's first failure.
// lives   one at a time on a thread
// threads each has its own. The handler of new is one for the process, and stays: where a thread has kept nothing, as a loop
//         that serves while a reload parses, its allocation fails as it would without
// errors  std::bad_alloc: even that memory is missing, and nothing is to be parsed
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace postern::cli {

class ParseReserve {
 public:
  ParseReserve() {
    std::set_new_handler(release);
    kept = new char[octets];
  }
  ParseReserve(const ParseReserve&) = delete;
  ParseReserve& operator=(const ParseReserve&) = delete;
  ~ParseReserve() { give_back(); }

 private:
  static constexpr std::size_t octets = std::size_t{4} << 20U;  // many times what a configuration takes
  static void release() {
    if (kept == nullptr) throw std::bad_alloc();
    give_back();
  }
  static void give_back() { delete[] std::exchange(kept, nullptr); }

  // A plain pointer: a thread that looks at an object for the first time may need memory for that.
  static inline constinit thread_local char* kept = nullptr;
};

}  // namespace postern::cli
