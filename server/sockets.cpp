#include "server/sockets.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <utility>

#include "base/port_holder.hpp"

namespace postern::server {
namespace {

constexpr int backlog = 4096;  // the kernel cuts it to net.core.somaxconn

struct Name {
  sockaddr_storage storage{};
  socklen_t octets = 0;
};

Name name_of(const base::Endpoint& endpoint) {
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

base::Endpoint end_of(int socket) {
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &octets) != 0) return {};
  return base::endpoint_of(name).value_or(base::Endpoint{});
}

void set_manners(int socket) {
  const int on = 1;
  // Clients inherit it: a reply never waits for an acknowledgement (Nagle).
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

using Bound = std::expected<base::Descriptor, std::string>;
enum class Port : std::uint8_t { ours_alone, shared };

std::unexpected<std::string> cannot_listen(const config::ListenerSettings& listener, const base::Endpoint& at,
                                           int error) {
  std::string remedy;
  if (error == EADDRINUSE) {
    const auto holder = base::holder_of(at);
    const std::string who = holder ? base::describe(*holder) : "another program";
    remedy = ": " + who + " has it; stop that, or choose another port";
  }
  if (error == EACCES) remedy = ": start as root, or grant CAP_NET_BIND_SERVICE";
  return std::unexpected(listener.place + ": cannot listen on " + std::string(base::write(at).view()) + ": " +
                         ::strerror(error) + remedy);
}

void share_port(int socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

// A port is shared by all that set SO_REUSEPORT, and another postern does: so the first socket sets it only when it listens.
Bound bind_one(const config::ListenerSettings& listener, const base::Endpoint& at, Port port) {
  const int on = 1;
  const Name name = name_of(at);
  base::Descriptor socket(::socket(name.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return std::unexpected(listener.place + ": no socket: " + ::strerror(errno));
  const int number = socket.number();
  ::setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (port == Port::shared) share_port(number);
  if (name.storage.ss_family == AF_INET6) ::setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_manners(number);
  if (::bind(number, reinterpret_cast<const sockaddr*>(&name.storage), name.octets) != 0 ||
      ::listen(number, backlog) != 0)
    return cannot_listen(listener, at, errno);
  if (port == Port::ours_alone) share_port(number);
  return socket;
}

bool is_everywhere(const base::Address& address) {
  return std::ranges::all_of(address.octets(), [](std::uint8_t octet) { return octet == 0; });
}

// Whether another of these listeners has all addresses of this one's kind, at its port.
bool is_within_another(const config::Configuration& settings, const config::ListenerSettings& listener) {
  const base::Endpoint& at = listener.at;
  return at.port != 0 && !is_everywhere(at.address) &&
         std::ranges::any_of(settings.listeners, [&](const config::ListenerSettings& other) {
           return other.socket_name.empty() && other.at.port == at.port && is_everywhere(other.at.address) &&
                  other.at.address.is_ipv4() == at.address.is_ipv4();
         });
}

std::expected<std::vector<base::Descriptor>, std::string> bind_row(const config::ListenerSettings& listener,
                                                                   unsigned loops, Port first) {
  std::vector<base::Descriptor> row;
  base::Endpoint at = listener.at;
  for (unsigned i = 0; i < loops; ++i) {
    auto socket = bind_one(listener, at, i == 0 ? first : Port::shared);
    if (!socket) return std::unexpected(std::move(socket.error()));
    at.port = end_of(socket->number()).port;
    row.push_back(std::move(*socket));
  }
  return row;
}

// What systemd holds is bound already, perhaps shared (ReusePort=), perhaps by two services of one socket unit.
std::optional<base::PortHolder> rival_for(int socket, std::span<const int> own) {
  int is_shared = 0;
  socklen_t octets = sizeof is_shared;
  ::getsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &is_shared, &octets);
  if (is_shared != 0)
    if (const auto holder = base::holder_of(end_of(socket), own)) return holder;
  return base::sharer_of(socket);
}

Bound take_inherited(const config::ListenerSettings& listener, std::vector<InheritedSocket>& inherited,
                     std::span<const int> own) {
  const auto found = std::ranges::find(inherited, listener.socket_name, &InheritedSocket::name);
  if (found == inherited.end())
    return std::unexpected(listener.place + ": systemd gave no socket called \"" + listener.socket_name +
                           "\": set FileDescriptorName= in the .socket unit, or give ip and port");
  const int number = found->socket.number();
  if (const auto rival = rival_for(number, own))
    return std::unexpected(listener.place + ": " + base::describe(*rival) + " serves socket " + listener.socket_name +
                           " (" + std::string(base::write(end_of(number)).view()) + ") as well; stop that");
  ::fcntl(number, F_SETFL, O_NONBLOCK);
  set_manners(number);
  return std::move(found->socket);
}

}  // namespace

std::expected<Sockets, std::string> Sockets::bind(const config::Configuration& settings, unsigned loops,
                                                  std::vector<InheritedSocket> inherited) {
  Sockets bound;
  bound.by_listener_.resize(settings.listeners.size());
  std::vector<int> own;
  for (const InheritedSocket& each : inherited) own.push_back(each.socket.number());
  for (const Port first : {Port::ours_alone, Port::shared})
    for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
      const config::ListenerSettings& listener = settings.listeners[i];
      const bool is_inherited = !listener.socket_name.empty();
      const Port wanted = !is_inherited && is_within_another(settings, listener) ? Port::shared : Port::ours_alone;
      if (wanted != first) continue;
      if (is_inherited) {
        auto socket = take_inherited(listener, inherited, own);
        if (!socket) return std::unexpected(std::move(socket.error()));
        bound.by_listener_[i].push_back(std::move(*socket));
        continue;
      }
      auto row = bind_row(listener, loops, first);
      if (!row) return std::unexpected(std::move(row.error()));
      bound.by_listener_[i] = std::move(*row);
    }
  return bound;
}

std::vector<int> Sockets::row(unsigned loop) const {
  std::vector<int> numbers;
  for (const auto& sockets : by_listener_) numbers.push_back(sockets[loop % sockets.size()].number());
  return numbers;
}

base::Endpoint Sockets::at(std::size_t listener) const { return end_of(by_listener_[listener].front().number()); }

}  // namespace postern::server
