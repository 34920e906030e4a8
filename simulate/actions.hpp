// A log of what conversations, committers and the disk have done, in the words of the models of proptests/models, which must
// be able to do the same.
// in      a line each: "talk LIFE answer 3 1", "disk sync-file 7 5", "mail submit 7 a/b c/d"; nothing is kept before open()
// out     the file, in the order in which it happened
// lives   for the whole program; one thread
// errors  a file that cannot be written ends the program
#pragma once

#include <cstdio>
#include <string_view>

namespace postern::simulate {

class Actions {
 public:
  Actions() = default;
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions();

  void open(const char* path);
  [[nodiscard]] bool is_open() const { return file_ != nullptr; }
  // Formats as printf does.
  [[gnu::format(printf, 2, 3)]] void add(const char* format, ...);

 private:
  std::FILE* file_ = nullptr;
};

[[nodiscard]] Actions& actions();

}  // namespace postern::simulate
