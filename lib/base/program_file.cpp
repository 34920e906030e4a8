#include "base/program_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/child.hpp"
#include "base/text_lines.hpp"

namespace postern::base {
namespace {

constexpr std::size_t head_octets = 256;  // BINPRM_BUF_SIZE: the kernel looks at no more

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

bool is_program(const std::string& path) {
  const auto status = status_of(path);
  return status && S_ISREG(status->st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// A file that may be run and not read has none.
std::string head_of(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, head_octets> room;
  const ssize_t octets = file.is_open() ? ::read(file.number(), room.data(), room.size()) : 0;
  return {room.data(), static_cast<std::size_t>(std::max<ssize_t>(octets, 0))};
}

// `line`: after `#!`.
std::string objection_to_interpreter(std::string_view line) {
  if (line.ends_with('\r')) return "has a carriage return in its first line: save it with line feeds";
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
  if (is_program(interpreter)) return {};
  return "names the interpreter \"" + interpreter + "\" in its first line, which is not a program: correct the line";
}

// A text that names no interpreter is run by a shell, but not by exec.
std::string objection_to_head(std::string_view head) {
  if (head.starts_with(std::string(utf8_mark) + "#!")) return "begins with a byte order mark: save it without one";
  const std::string_view line = head.substr(0, head.find('\n'));
  if (line.starts_with("#!")) return objection_to_interpreter(line.substr(2));
  const bool is_text = std::ranges::none_of(head, [](char c) { return c == '\0' || c == '\x7f'; });
  if (!head.empty() && is_text && is_ascii_text(line))
    return "is a text that names no interpreter: write #!/bin/sh as its first line";
  return {};
}

}  // namespace

std::string find_program(std::string_view name, const Environment& environment) {
  if (name.contains('/') || name.empty()) return std::string(name);
  std::string_view rest = environment.find("PATH").value_or("/bin:/usr/bin");
  while (true) {
    const std::string_view directory = rest.substr(0, rest.find(':'));  // an empty one is the current directory
    std::string path(directory.empty() ? "." : directory);
    path.append("/").append(name);
    if (is_program(path)) return path;
    if (directory.size() == rest.size()) return {};
    rest.remove_prefix(directory.size() + 1);
  }
}

std::string objection_to_program(const std::string& path) {
  const auto status = status_of(path);
  if (!status && errno == ENOENT) return "is not there";
  if (!status) return std::string("cannot be looked at (") + std::strerror(errno) + ")";
  if (S_ISDIR(status->st_mode)) return "is a folder: name the program in it";
  if (!S_ISREG(status->st_mode)) return "is not a file";
  if (::access(path.c_str(), X_OK) != 0)
    return "may not be executed by this user: chmod +x it, and look at the folders above it";
  return objection_to_head(head_of(path));
}

}  // namespace postern::base
