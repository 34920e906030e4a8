#include "daemon/tls_sibling.hpp"

#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <vector>

namespace postern::daemon {
namespace {

std::string beside(std::string_view path) {
  std::string sibling(path.substr(0, path.rfind('/') + 1));
  sibling += sibling_name;
  return sibling;
}

}  // namespace

std::string remember_own_path() {
  // The kernel's word for the file it was told to execute; argv[0] is whatever the caller liked.
  const auto* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  if (name == nullptr || *name == '\0') return {};
  if (*name == '/') return name;
  char directory[PATH_MAX];
  if (::getcwd(directory, sizeof directory) == nullptr || *directory != '/') return {};
  return std::string(directory) + '/' + name;
}

int exec_tls_sibling(const std::string& own_path, TlsStart start, const std::string& counters,
                     std::span<char* const> arguments) {
  if (own_path.empty() || own_path.front() != '/') return ENOENT;
  std::string name(sibling_name);
  std::string how = start == TlsStart::starttls ? "starttls" : "implicit";
  std::string counted = counters;
  std::vector<char*> words{name.data(), how.data(), counted.data()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.push_back(nullptr);

  ::execv(beside(own_path).c_str(), words.data());
  if (errno != ENOENT) return errno;
  // bin/qmail-smtpd may be a symbolic link to us: then the sibling stands beside the file, not beside the link.
  char resolved[PATH_MAX];
  if (::realpath(own_path.c_str(), resolved) == nullptr) return ENOENT;
  ::execv(beside(resolved).c_str(), words.data());
  return errno;
}

}  // namespace postern::daemon
