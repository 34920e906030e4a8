#include "tls/sibling.hpp"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/child.hpp"
#include "spec/limits.hpp"

namespace postern::tls {
namespace {

constexpr unsigned max_objection_seconds = 20;  // on a machine that is very busy
constexpr std::size_t max_objection_octets = 2000;

std::string beside(std::string_view path) {
  std::string sibling(path.substr(0, path.rfind('/') + 1));
  sibling += sibling_name;
  return sibling;
}

std::string read_sentence(int from) {
  std::string sentence;
  std::array<char, 512> some{};
  while (sentence.size() < max_objection_octets) {
    const ssize_t got = ::read(from, some.data(), some.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    sentence.append(some.data(), static_cast<std::size_t>(got));
  }
  return sentence;
}

std::string lack_of(int resource, const char* name, std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted) return {};
  return std::string("the limit ") + name + " of this process is " + std::to_string(limit.rlim_cur) +
         " octets, and TLS needs " + std::to_string(wanted) + ": raise it (softlimit -m or -a, ulimit -v, prlimit)";
}

}  // namespace

std::string remember_own_path() {
  // The kernel's path of the executed file; argv[0] is whatever the caller chose.
  const auto* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  if (name == nullptr || *name == '\0') return {};
  if (*name == '/') return name;
  char directory[PATH_MAX];
  if (::getcwd(directory, sizeof directory) == nullptr || *directory != '/') return {};
  return std::string(directory) + '/' + name;
}

// Empty, with errno, when it is not there or cannot be executed.
std::string TlsSibling::path() const {
  errno = ENOENT;
  if (own_path_.empty() || own_path_.front() != '/') return {};
  std::string found = beside(own_path_);
  if (::access(found.c_str(), X_OK) == 0) return found;
  if (errno != ENOENT) return {};
  // bin/qmail-smtpd may be a symbolic link to us: then the sibling stands beside the file, not beside the link.
  char resolved[PATH_MAX];
  if (::realpath(own_path_.c_str(), resolved) == nullptr) return {};
  found = beside(resolved);
  return ::access(found.c_str(), X_OK) == 0 ? found : std::string();
}

std::string TlsSibling::absence() const {
  if (!path().empty()) return {};
  const int error = errno;
  return "cannot run " + beside(own_path_) + ": " + std::strerror(error) +
         ": install postern-smtpd-tls beside postern-smtpd, or set DENY_TLS=1";
}

std::string TlsSibling::objection(const base::Environment& environment) const {
  const std::string program = path();
  auto pipe = base::make_pipe();
  const base::Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (program.empty() || !pipe || !nothing.is_open()) return "the TLS program cannot be asked: no descriptor is left";
  std::string name(sibling_name), how = "judge", counters = "-";
  std::array<char*, 4> words{name.data(), how.data(), counters.data(), nullptr};
  const std::array redirects{base::Redirect{nothing.number(), STDIN_FILENO},
                             base::Redirect{pipe->write_end.number(), STDOUT_FILENO}};
  const auto child = base::spawn(program.c_str(), words.data(), redirects, environment);
  if (!child) return "cannot run " + program + ": " + std::strerror(child.error());
  pipe->write_end.close();
  std::string sentence = read_sentence(pipe->read_end.number());
  const base::WaitResult result = base::wait_for(*child, base::after_seconds(max_objection_seconds));
  if (result.kind == base::WaitResult::Kind::exited && result.value == 0) return {};
  return sentence.empty() ? program + " cannot start: is its memory limited, or a library missing?" : sentence;
}

int TlsSibling::exec(TlsStart start, const std::string& counters) const {
  const std::string program = path();
  if (program.empty()) return errno;
  std::string name(sibling_name);
  std::string how = start == TlsStart::starttls ? "starttls" : "implicit";
  std::string counted = counters;
  std::vector<char*> words{name.data(), how.data(), counted.data()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  return errno;
}

std::string lack_of_memory_for_tls() {
  std::string lack = lack_of(RLIMIT_AS, "RLIMIT_AS", spec::min_tls_address_octets);
  return lack.empty() ? lack_of(RLIMIT_DATA, "RLIMIT_DATA", spec::min_tls_data_octets) : lack;
}

}  // namespace postern::tls
