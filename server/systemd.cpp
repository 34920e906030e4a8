#include "server/systemd.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>

namespace postern::server {
namespace {

constexpr int first_inherited = 3;    // sd_listen_fds(3): SD_LISTEN_FDS_START
constexpr int first_out_of_way = 10;  // the programs we run expect 3, 4 and 6 for themselves
constexpr int max_inherited = 64;

std::string_view variable(Getenv environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

template <typename Number>
std::optional<Number> as_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view take_name(std::string_view& names) {
  const std::size_t end = std::min(names.find(':'), names.size());
  const std::string_view name = names.substr(0, end);
  names.remove_prefix(std::min(end + 1, names.size()));
  return name.empty() ? "unknown" : name;
}

int option_of(int descriptor, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

std::string problem_of(int number, std::string_view name, const char* what) {
  return "socket " + std::to_string(number) + " (" + std::string(name) + ") of systemd " + what;
}

std::expected<InheritedSocket, std::string> take_socket(int number, std::string_view name) {
  if (option_of(number, SO_TYPE) != SOCK_STREAM || option_of(number, SO_ACCEPTCONN) != 1)
    return std::unexpected(
        problem_of(number, name, "is no listening stream: the .socket unit needs ListenStream= and Accept=no"));
  base::Descriptor moved(::fcntl(number, F_DUPFD_CLOEXEC, first_out_of_way));
  if (!moved.is_open()) return std::unexpected(problem_of(number, name, "cannot be moved: ") + ::strerror(errno));
  ::close(number);
  return InheritedSocket{.socket = std::move(moved), .name = std::string(name)};
}

struct Address {
  sockaddr_un octets{};
  socklen_t size = 0;
};

// `/path` or `@abstract`.
std::optional<Address> as_address(std::string_view text) {
  Address address;
  if (text.size() < 2 || text.size() >= sizeof address.octets.sun_path || (text[0] != '/' && text[0] != '@'))
    return std::nullopt;
  address.octets.sun_family = AF_UNIX;
  std::ranges::copy(text, address.octets.sun_path);
  const bool is_abstract = text[0] == '@';
  if (is_abstract) address.octets.sun_path[0] = '\0';  // an abstract name ends where the size says, a path with NUL
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return address;
}

}  // namespace

std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets(Getenv environment) {
  std::vector<InheritedSocket> sockets;
  if (as_number<pid_t>(variable(environment, "LISTEN_PID")) != ::getpid()) return sockets;
  const std::string_view said = variable(environment, "LISTEN_FDS");
  const std::optional<int> count = as_number<int>(said);
  if (!count || *count < 0 || *count > max_inherited)
    return std::unexpected("LISTEN_FDS=\"" + std::string(said) +
                           "\" in the environment: only 0 to 64 sockets are taken");
  std::string_view names = variable(environment, "LISTEN_FDNAMES");
  for (int number = first_inherited; number < first_inherited + *count; ++number) {
    auto taken = take_socket(number, take_name(names));
    if (!taken) return std::unexpected(std::move(taken.error()));
    sockets.push_back(std::move(*taken));
  }
  return sockets;
}

std::optional<std::chrono::microseconds> watchdog_patience(Getenv environment) {
  const std::string_view pid = variable(environment, "WATCHDOG_PID");
  if (!pid.empty() && as_number<pid_t>(pid) != ::getpid()) return std::nullopt;
  const auto patience = as_number<std::int64_t>(variable(environment, "WATCHDOG_USEC"));
  if (!patience || *patience <= 0) return std::nullopt;
  return std::chrono::microseconds(*patience);
}

void forget_systemd_variables() {
  for (const char* name :
       {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
    ::unsetenv(name);
}

Notifier::Notifier(Getenv environment) {
  const std::string_view name = variable(environment, "NOTIFY_SOCKET");
  if (name.empty()) return;
  const std::optional<Address> address = as_address(name);
  if (!address) {
    problem_ = EAFNOSUPPORT;
    return;
  }
  base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* octets = &address->octets;
  if (!socket.is_open() || ::connect(socket.number(), static_cast<const sockaddr*>(octets), address->size) != 0)
    problem_ = errno;
  else
    socket_ = std::move(socket);
}

int Notifier::send(std::string_view notice) {
  if (!socket_.is_open()) return problem_;
  ssize_t sent = 0;
  do {
    sent = ::send(socket_.number(), notice.data(), notice.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

int Notifier::ready() { return send("READY=1"); }

// The time lets systemd distinguish this reload from a later one.
int Notifier::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

int Notifier::stopping() { return send("STOPPING=1"); }

int Notifier::watchdog() { return send("WATCHDOG=1"); }

int Notifier::status(std::string_view sentence) {
  std::string notice = "STATUS=" + std::string(sentence);
  std::ranges::replace(notice, '\n', ' ');
  return send(notice);
}

}  // namespace postern::server
