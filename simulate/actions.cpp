#include "simulate/actions.hpp"

#include <cstdarg>
#include <cstdlib>

namespace postern::simulate {

Actions& actions() {
  static Actions one;
  return one;
}

Actions::~Actions() {
  if (file_ != nullptr) std::fclose(file_);
}

void Actions::open(const char* path) {
  file_ = std::fopen(path, "w");
  if (file_ != nullptr) return;
  std::perror(path);
  std::exit(2);
}

void Actions::add(const char* format, ...) {
  if (file_ == nullptr) return;
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(file_, format, arguments);
  va_end(arguments);
  std::fputc('\n', file_);
}

}  // namespace postern::simulate
