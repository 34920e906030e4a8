#include "base/real_path.hpp"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>

namespace postern::base {
namespace {

constexpr int most_links = 40;  // as the kernel has it

std::optional<std::string> link_at(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t octets = ::readlink(path.c_str(), target.data(), target.size());
  if (octets <= 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(octets));
}

std::string current_folder() {
  std::array<char, PATH_MAX> room;
  const char* const folder = ::getcwd(room.data(), room.size());
  return folder != nullptr && folder[0] == '/' ? folder : "/";
}

std::string_view take_name(std::string& rest) {
  const std::size_t begin = std::min(rest.find_first_not_of('/'), rest.size());
  const std::size_t end = std::min(rest.find('/', begin), rest.size());
  return std::string_view(rest).substr(begin, end - begin);
}

// `done` has no link in it, and no slash at its end: the root is empty.
void climb(std::string& done) { done.resize(done.empty() ? 0 : done.rfind('/')); }

bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

std::vector<std::filesystem::directory_entry> entries_of(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::directory_entry> entries;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) entries.push_back(*at);
  return entries;
}

}  // namespace

std::string real_path(std::string_view path) {
  std::string done = path.starts_with('/') ? "" : current_folder();
  if (done == "/") done.clear();
  std::string rest(path);
  int links = 0;
  for (std::string name(take_name(rest)); !name.empty(); name = take_name(rest)) {
    rest.erase(0, rest.find(name) + name.size());
    if (name == ".") continue;
    if (name == "..") {
      climb(done);
      continue;
    }
    const std::string next = done + '/' + name;
    const auto target = links < most_links ? link_at(next) : std::nullopt;
    if (!target) {
      done = next;
      continue;
    }
    ++links;
    rest = *target + rest;
    if (target->starts_with('/')) done.clear();
  }
  return done.empty() ? "/" : done;
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::vector<std::string> folders_that_hold(const std::string& file) {
  std::vector<std::string> folders;
  std::string at = file;
  for (int links = 0; links <= most_links; ++links) {
    const std::string folder = real_path(folder_of(at));
    folders.push_back(folder);
    const auto target = link_at(at);
    if (!target) break;
    at = target->starts_with('/') ? *target : folder + '/' + *target;
  }
  return folders;
}

std::vector<std::string> folders_linked_from(const std::string& root) {
  std::vector<std::string> folders;
  const auto take = [&](const std::filesystem::directory_entry& entry) {
    std::error_code error;
    if (entry.is_symlink(error) && is_folder(entry.path())) folders.push_back(real_path(entry.path().string()));
  };
  for (const auto& domain : entries_of(root)) {
    take(domain);
    if (is_folder(domain.path()))
      for (const auto& mailbox : entries_of(domain.path())) take(mailbox);
  }
  return folders;
}

}  // namespace postern::base
