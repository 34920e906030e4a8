#include "server/reload_verdict.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace postern::server {
namespace {

constexpr std::size_t max_verdict_octets = 8000;
constexpr char done_mark = '+', refused_mark = '-';

struct Address {
  sockaddr_un octets{};
  socklen_t size = 0;

  explicit Address(pid_t asker) {
    const std::string name = "postern-reload-" + std::to_string(asker);
    octets.sun_family = AF_UNIX;
    std::ranges::copy(name, octets.sun_path + 1);  // a NUL before it: abstract
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }
  [[nodiscard]] const sockaddr* get() const {
    const void* const address = &octets;
    return static_cast<const sockaddr*>(address);
  }
};

ReloadVerdict unanswered(std::string sentence) { return {ReloadVerdict::Kind::unanswered, std::move(sentence)}; }

// One datagram; empty unless `server` sent it.
std::string receive(int socket, pid_t server) {
  std::string text(max_verdict_octets, '\0');
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> room{};
  iovec into{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const ssize_t octets = ::recvmsg(socket, &message, MSG_DONTWAIT);
  const cmsghdr* const head = octets <= 0 ? nullptr : CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_CREDENTIALS) return {};
  ucred sender{};
  std::memcpy(&sender, CMSG_DATA(head), sizeof sender);
  if (sender.pid != server) return {};
  text.resize(static_cast<std::size_t>(octets));
  return text;
}

}  // namespace

ReloadReporter::ReloadReporter() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}

void ReloadReporter::report(pid_t asker, bool is_done, std::string_view sentence) const {
  if (asker <= 0 || !socket_.is_open()) return;
  std::string text(1, is_done ? done_mark : refused_mark);
  text.append(sentence.substr(0, max_verdict_octets - 1));
  const Address address(asker);
  static_cast<void>(::sendto(socket_.number(), text.data(), text.size(), MSG_NOSIGNAL, address.get(), address.size));
}

// The signal is sent again every few seconds: two that ask at once may become one signal, and only one gets the verdict.
ReloadVerdict ask_for_reload(pid_t server, std::chrono::seconds patience) {
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Address address(::getpid());
  const int on = 1;
  if (!socket.is_open() || ::setsockopt(socket.number(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      ::bind(socket.number(), address.get(), address.size) != 0)
    return unanswered(std::string("no socket for the verdict: ") + std::strerror(errno));
  const base::Deadline end = std::chrono::steady_clock::now() + patience;
  constexpr unsigned repeat_seconds = 5;
  while (base::milliseconds_until(end) > 0) {
    if (::kill(server, SIGHUP) != 0)
      return unanswered("process " + std::to_string(server) + " cannot be signalled: " + std::strerror(errno));
    const base::Deadline again = std::min(end, base::after_seconds(repeat_seconds));
    pollfd waiting{.fd = socket.number(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, base::milliseconds_until(again)) > 0) {
      const std::string text = receive(socket.number(), server);
      if (text.empty()) continue;
      return {text.front() == done_mark ? ReloadVerdict::Kind::done : ReloadVerdict::Kind::refused, text.substr(1)};
    }
  }
  return unanswered("process " + std::to_string(server) + " gave no verdict in " + std::to_string(patience.count()) +
                    " seconds: is it postern serve?");
}

}  // namespace postern::server
