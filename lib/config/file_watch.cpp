#include "config/file_watch.hpp"

#include <sys/stat.h>

#include "base/real_path.hpp"

namespace postern::config {
namespace {

constexpr std::uint64_t basis = 0xcbf29ce484222325;

// FNV-1a: nobody attacks it, it distinguishes two states of our own files.
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

FileWatch::State FileWatch::state_of(const std::string& path) {
  State state = basis;
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
  return state;
}

FileWatch::State FileWatch::target_of(const std::string& name) {
  State state = basis;
  for (const char octet : base::real_path(name)) mix(state, static_cast<unsigned char>(octet));
  return state;
}

bool FileWatch::watch(const std::string& path, std::optional<State> known) {
  const std::lock_guard lock(mutex_);
  if (paths_.contains(path)) return false;
  const State now = state_of(path);
  paths_.emplace(path, Seen{.known = known.value_or(now), .last = now});
  return true;
}

bool FileWatch::watch_name(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (names_.contains(name)) return false;
  const State now = target_of(name);
  names_.emplace(name, Seen{.known = now, .last = now});
  return true;
}

void FileWatch::look() {
  const std::lock_guard lock(mutex_);
  for (auto& [path, seen] : paths_) seen.known = seen.last = state_of(path);
  for (auto& [name, seen] : names_) seen.known = seen.last = target_of(name);
}

bool FileWatch::settled() {
  const std::lock_guard lock(mutex_);
  bool is_settled = true, is_known = true;
  const auto look_at = [&](Seen& seen, State now) {
    is_settled = is_settled && now == seen.last;
    is_known = is_known && now == seen.known;
    seen.last = now;
  };
  for (auto& [path, seen] : paths_) look_at(seen, state_of(path));
  for (auto& [name, seen] : names_) look_at(seen, target_of(name));
  if (!is_settled || is_known) return false;
  for (All* const each : {&paths_, &names_})
    for (auto& [name, seen] : *each) seen.known = seen.last;
  return true;
}

}  // namespace postern::config
