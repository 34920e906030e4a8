#include "base/blocking_client.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>

namespace postern::base {
namespace {

using Kind = StreamFailure::Kind;
using State = ClientProtocol::State;

constexpr std::size_t read_octets = 4096;

Time read_clock() { return std::chrono::steady_clock::now(); }

class Carrier {
 public:
  Carrier(ClientProtocol& protocol, const Descriptor& socket, Deadline end, std::string_view address,
          Listening listening)
      : protocol_(protocol), socket_(socket), end_(end), address_(address), listening_(listening) {}

  void run() {
    while (protocol_.state() == State::busy) {
      const std::string_view octets = protocol_.output();
      const bool is_early = listening_ == Listening::before_each_word && !octets.empty() && !is_quiet(socket_);
      if (is_early)
        receive();
      else if (!octets.empty())
        send(octets);
      else if (wait(POLLIN))
        receive();
    }
  }

 private:
  void fail(Kind kind, int error = 0) { protocol_.fail({.kind = kind, .error = error, .address = address_}); }

  // False: the time is over.
  [[nodiscard]] bool wait(short events) {
    for (;;) {
      const int left = milliseconds_until(std::min(protocol_.deadline(), end_));
      pollfd watched{.fd = socket_.number(), .events = events, .revents = 0};
      if (left > 0 && ::poll(&watched, 1, left) > 0) return true;
      if (left > 0) continue;
      fail(Kind::timed_out);
      return false;
    }
  }

  // Reads before it writes: a server may say why and close, and then nothing can be sent to it any more.
  void send(std::string_view octets) {
    const ssize_t sent = ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent >= 0) return protocol_.sent(static_cast<std::size_t>(sent), read_clock());
    const int error = errno;
    if (error == EINTR) return;
    if (error != EAGAIN) {
      receive();
      if (protocol_.state() == State::busy) fail(Kind::closed, error);
    } else if (wait(POLLIN | POLLOUT)) {
      receive();
    }
  }

  void receive() {
    std::array<char, read_octets> octets;
    const ssize_t got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
    if (got > 0) return protocol_.receive({octets.data(), static_cast<std::size_t>(got)}, read_clock());
    if (got == 0) return fail(Kind::closed);
    if (errno != EAGAIN && errno != EINTR) fail(Kind::closed, errno);
  }

  ClientProtocol& protocol_;
  const Descriptor& socket_;
  Deadline end_;
  std::string_view address_;
  Listening listening_;
};

}  // namespace

// SO_SNDTIMEO bounds connect(2) for both families, also where a Unix socket waits for a place in the backlog, which
// poll(2) cannot wait for.
std::expected<Descriptor, int> connect_stream(const SocketAddress& address, unsigned max_seconds) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return std::unexpected(errno);
  const timeval patience{.tv_sec = static_cast<time_t>(max_seconds), .tv_usec = 0};
  if (::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return std::unexpected(errno);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(socket.number(), name, address.octets) != 0)
    return std::unexpected(errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno);
  if (::fcntl(socket.number(), F_SETFL, O_NONBLOCK) != 0) return std::unexpected(errno);
  const int yes = 1;  // small commands leave at once; a Unix socket knows no such option and needs none
  static_cast<void>(::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
  return socket;
}

void carry(ClientProtocol& protocol, const Descriptor& socket, Deadline end, std::string_view address,
           Listening listening) {
  Carrier(protocol, socket, end, address, listening).run();
}

bool is_quiet(const Descriptor& socket) {
  pollfd watched{.fd = socket.number(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return socket.is_open() && ::poll(&watched, 1, 0) == 0;
}

void part(const ClientProtocol& protocol, Descriptor socket) {
  const std::string_view octets = protocol.farewell();
  if (!octets.empty())
    static_cast<void>(::send(socket.number(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

// Our own end is its reason to close, also where it does not understand the farewell.
bool part_heard(const ClientProtocol& protocol, Descriptor socket, Deadline end) {
  const std::string_view octets = protocol.farewell();
  static_cast<void>(::send(socket.number(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  ::shutdown(socket.number(), SHUT_WR);
  for (;;) {
    const int left = milliseconds_until(end);
    pollfd watched{.fd = socket.number(), .events = POLLIN, .revents = 0};
    if (left <= 0) return false;
    if (::poll(&watched, 1, left) <= 0) continue;
    char octet = 0;
    const ssize_t got = ::recv(socket.number(), &octet, 1, 0);
    if (got >= 0) return got == 0;
    if (errno != EAGAIN && errno != EINTR) return true;
  }
}

}  // namespace postern::base
