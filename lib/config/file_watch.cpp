#include "config/file_watch.hpp"

#include <sys/stat.h>

#include <utility>

#include "base/real_path.hpp"

namespace postern::config {
namespace {

// FNV-1a: nobody attacks it, it tells two states of our own files apart.
void mix(std::uint64_t& state, std::uint64_t number) {
  constexpr std::uint64_t prime = 0x100000001b3;
  for (int shift = 0; shift < 64; shift += 8) state = (state ^ ((number >> shift) & 0xffU)) * prime;
}

// Of the name itself, where it is a symbolic link: one that is set again counts.
std::uint64_t link_state(const std::string& path) {
  struct stat link{};
  return ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) ? link.st_ino : 0;
}

}  // namespace

std::uint64_t FileWatch::state() const {
  std::uint64_t state = 0xcbf29ce484222325;
  for (const std::string& path : paths_) {
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0) file = {};
    mix(state, file.st_dev);
    mix(state, file.st_ino);
    mix(state, static_cast<std::uint64_t>(file.st_size));
    mix(state, static_cast<std::uint64_t>(file.st_mtim.tv_sec));
    mix(state, static_cast<std::uint64_t>(file.st_mtim.tv_nsec));
    mix(state, static_cast<std::uint64_t>(file.st_ctim.tv_sec));  // who may read it
    mix(state, static_cast<std::uint64_t>(file.st_ctim.tv_nsec));
    mix(state, link_state(path));
  }
  for (const std::string& name : names_)
    for (const char octet : base::real_path(name)) mix(state, static_cast<unsigned char>(octet));
  return state;
}

void FileWatch::look() { known_ = last_ = state(); }

void FileWatch::watch(std::vector<std::string> paths, std::vector<std::string> names) {
  if (paths == paths_ && names == names_) return;
  paths_ = std::move(paths);
  names_ = std::move(names);
  look();
}

bool FileWatch::settled() {
  const std::uint64_t now = state();
  const bool is_settled = now == std::exchange(last_, now);
  return is_settled && std::exchange(known_, now) != now;
}

}  // namespace postern::config
