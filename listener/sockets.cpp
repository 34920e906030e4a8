#include "listener/sockets.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace postern::listener {
namespace {

constexpr int backlog = 4096;  // the kernel cuts it to net.core.somaxconn

struct Name {
  sockaddr_storage storage{};
  socklen_t octets = 0;
};

Name name_of(const Endpoint& endpoint) {
  Name name;
  const std::span<const std::uint8_t> octets = endpoint.address.octets();
  if (endpoint.address.is_ipv4()) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(name.storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(endpoint.port);
    std::ranges::copy(octets, reinterpret_cast<std::uint8_t*>(&ipv4.sin_addr));
    name.octets = sizeof ipv4;
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(name.storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(endpoint.port);
    std::ranges::copy(octets, reinterpret_cast<std::uint8_t*>(&ipv6.sin6_addr));
    name.octets = sizeof ipv6;
  }
  return name;
}

Endpoint end_of(int socket) {
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &octets) != 0) return {};
  return endpoint_of(name).value_or(Endpoint{});
}

void set_manners(int socket) {
  const int on = 1;
  // Clients inherit it: a reply never waits for an acknowledgement (Nagle).
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::expected<daemon::Descriptor, std::string> bind_one(const ListenerSettings& listener, const Endpoint& at) {
  const int on = 1;
  const Name name = name_of(at);
  daemon::Descriptor socket(::socket(name.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return std::unexpected(listener.place + ": no socket: " + ::strerror(errno));
  const int number = socket.number();
  ::setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(number, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (name.storage.ss_family == AF_INET6) ::setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_manners(number);
  if (::bind(number, reinterpret_cast<const sockaddr*>(&name.storage), name.octets) != 0 ||
      ::listen(number, backlog) != 0) {
    const int error = errno;
    const std::string_view mend = error == EADDRINUSE ? ": another program has it; stop that, or choose another port"
                                  : error == EACCES   ? ": start as root, or grant CAP_NET_BIND_SERVICE"
                                                      : "";
    return std::unexpected(listener.place + ": cannot listen on " + std::string(write(at).view()) + ": " +
                           ::strerror(error) + std::string(mend));
  }
  return socket;
}

}  // namespace

std::expected<Sockets, std::string> Sockets::bind(const Configuration& settings, unsigned loops,
                                                  std::vector<InheritedSocket> inherited) {
  Sockets bound;
  for (const ListenerSettings& listener : settings.listeners) {
    std::vector<daemon::Descriptor>& row = bound.by_listener_.emplace_back();
    if (!listener.socket_name.empty()) {
      const auto found = std::ranges::find(inherited, listener.socket_name, &InheritedSocket::name);
      if (found == inherited.end())
        return std::unexpected(listener.place + ": systemd gave no socket called \"" + listener.socket_name +
                               "\": set FileDescriptorName= in the .socket unit, or give ip and port");
      ::fcntl(found->socket.number(), F_SETFL, O_NONBLOCK);
      set_manners(found->socket.number());
      row.push_back(std::move(found->socket));
      continue;
    }
    Endpoint at = listener.at;
    for (unsigned i = 0; i < loops; ++i) {
      auto socket = bind_one(listener, at);
      if (!socket) return std::unexpected(std::move(socket.error()));
      at.port = end_of(socket->number()).port;
      row.push_back(std::move(*socket));
    }
  }
  return bound;
}

std::vector<int> Sockets::row(unsigned loop) const {
  std::vector<int> numbers;
  for (const auto& sockets : by_listener_) numbers.push_back(sockets[loop % sockets.size()].number());
  return numbers;
}

Endpoint Sockets::at(std::size_t listener) const { return end_of(by_listener_[listener].front().number()); }

}  // namespace postern::listener
