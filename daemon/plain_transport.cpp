// Each wait is a poll and each transfer is one that cannot block, without O_NONBLOCK: that flag belongs to the open
// file, which the process that accepted the connection may still hold. A read after a poll that said "readable" gives
// what is there. A write is harder: a blocking descriptor would take all of a long text and wait for room, so a socket
// gets MSG_DONTWAIT, and a pipe gets at most PIPE_BUF octets, which is what a poll of a pipe promises room for.
#include "daemon/plain_transport.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace postern::daemon {
namespace {

Io wait_for(int fd, short events, const Patience& deadline) {
  for (;;) {
    pollfd watched{.fd = fd, .events = events, .revents = 0};
    const auto left = std::min<std::chrono::milliseconds::rep>(deadline.left().count(), INT_MAX);
    const int ready = ::poll(&watched, 1, static_cast<int>(left));
    if (ready == 0) return Io::timed_out;
    if (ready > 0) return (watched.revents & POLLNVAL) != 0 ? Io::closed : Io::done;
    if (errno != EINTR) return Io::closed;
  }
}

bool is_worth_a_retry(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// One transfer that does not block: octets sent, 0 for "no room yet", -1 for an error.
ssize_t send_some(int fd, std::string_view octets, bool& is_socket) {
  ssize_t sent = -1;
  if (is_socket) {
    sent = ::send(fd, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    is_socket = sent >= 0 || errno != ENOTSOCK;
  }
  if (!is_socket) {
    pollfd watched{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&watched, 1, 0) == 0) return 0;
    sent = ::write(fd, octets.data(), std::min<std::size_t>(octets.size(), PIPE_BUF));
  }
  return sent < 0 && is_worth_a_retry(errno) ? 0 : sent;
}

}  // namespace

std::chrono::milliseconds Patience::left() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

ReadResult read_octets(int fd, std::span<char> into, const Patience& deadline) {
  for (;;) {
    if (const Io waited = wait_for(fd, POLLIN, deadline); waited != Io::done) return {waited, 0};
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got > 0) return {Io::done, static_cast<std::size_t>(got)};
    if (got == 0 || !is_worth_a_retry(errno)) return {Io::closed, 0};
  }
}

Io write_octets(int fd, std::string_view octets, std::chrono::milliseconds timeout) {
  bool is_socket = true;
  while (!octets.empty()) {
    const ssize_t sent = send_some(fd, octets, is_socket);
    if (sent < 0) return Io::closed;
    octets.remove_prefix(static_cast<std::size_t>(sent));
    if (sent > 0) continue;
    if (const Io waited = wait_for(fd, POLLOUT, Patience(timeout)); waited != Io::done) return waited;
  }
  return Io::done;
}

void disable_nagle(int fd) {
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void acknowledge(int fd) {
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace postern::daemon
