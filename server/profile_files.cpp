#include "server/profile_files.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/child.hpp"
#include "base/real_path.hpp"

namespace postern::server {
namespace {

using Use = ProfileFile::Use;

std::string user_name(uid_t id) {
  const passwd* const entry = ::getpwuid(id);
  return entry != nullptr ? entry->pw_name : std::to_string(id);
}

std::string group_name(gid_t id) {
  const group* const entry = ::getgrgid(id);
  return entry != nullptr ? entry->gr_name : std::to_string(id);
}

std::string reader() { return "user " + user_name(::geteuid()); }

// ` (mode 0600, root:root)`
std::string ownership(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return {};
  std::array<char, 16> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(about.st_mode) & 07777U);
  return std::string(" (mode ") + mode.data() + ", " + user_name(about.st_uid) + ":" + group_name(about.st_gid) + ")";
}

// The first folder on the way that this user may not enter; empty when there is none.
std::string closed_folder(const std::string& real) {
  for (std::size_t slash = real.find('/', 1); slash != std::string::npos; slash = real.find('/', slash + 1)) {
    const std::string folder = real.substr(0, slash);
    if (::access(folder.c_str(), X_OK) != 0) return folder;
  }
  return {};
}

std::string remedy_for(Use use) {
  const std::string user = user_name(::geteuid()), group = group_name(::getegid());
  if (use == Use::written_in) return "chown it to " + user + ", or setfacl -m u:" + user + ":rwx";
  std::string remedy = "chgrp " + group + " and chmod 640, or setfacl -m u:" + user + ":r";
  if (use == Use::read_secret) remedy += ", or let systemd hand it over (LoadCredential=)";
  return remedy;
}

std::string named(const ProfileFile& file) { return file.place + (file.place.empty() ? "" : " ") + file.path; }

std::string forbidden(const ProfileFile& file) {
  const std::string real = base::real_path(file.path);
  const std::string sentence = named(file) + ": " + reader();
  if (const std::string folder = closed_folder(real); !folder.empty())
    return sentence + " may not enter the folder " + folder + ownership(folder) + ": allow it (chmod o+x or setfacl)";
  const std::string_view verb = file.use == Use::written_in ? " may not write in it" : " may not read it";
  return sentence + std::string(verb) + ownership(real) + ": " + remedy_for(file.use);
}

std::string shut_out(const ProfileFile& file) {
  const std::string real = base::real_path(file.path);
  const std::string leads = real == file.path ? ": " : " leads to " + real + ": ";
  const std::string folder = file.use == Use::written_in ? real : base::folder_of(real);
  return named(file) + leads + "the sandbox does not include the folder " + folder + ": restart to add it";
}

bool may_use(const ProfileFile& file) {
  const int wanted = file.use == Use::written_in ? R_OK | W_OK | X_OK : R_OK;
  return ::access(file.path.c_str(), wanted) == 0 || errno != EACCES;
}

bool is_waited_for(const ProfileFile& file) {
  struct stat about{};
  return ::stat(file.path.c_str(), &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

bool is_no_folder(const ProfileFile& file) {
  struct stat about{};
  return ::stat(file.path.c_str(), &about) != 0 ? errno == ENOENT || errno == ENOTDIR : !S_ISDIR(about.st_mode);
}

bool is_shut_out(const ProfileFile& file) {
  const base::Descriptor opened(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  return !opened.is_open() && errno == EACCES;
}

}  // namespace

ProfileFile folder_of_greylist(const std::string& greylist_file) {
  return {
      .place = "greylist_file", .path = base::folder_of(greylist_file), .use = Use::written_in, .must_be_there = true};
}

std::optional<std::string> obstacle_without_sandbox(const ProfileFile& file) {
  if (is_waited_for(file)) return named(file) + ": is a FIFO or a socket, and not a file";
  if (!may_use(file)) return forbidden(file);
  if (file.must_be_there && is_no_folder(file)) return named(file) + ": there is no such folder: make it";
  return std::nullopt;
}

std::optional<std::string> obstacle_to(const ProfileFile& file) {
  if (auto obstacle = obstacle_without_sandbox(file)) return obstacle;
  return is_shut_out(file) ? std::optional(shut_out(file)) : std::nullopt;
}

}  // namespace postern::server
