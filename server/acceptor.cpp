#include "server/acceptor.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "server/client/connection.hpp"

namespace postern::server {
namespace {

// The client left before it was accepted, or a filter refused it: the next one may be there.
bool is_of_one_client(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM || error == ENETDOWN ||
         error == EHOSTUNREACH || error == ENETUNREACH;
}

}  // namespace

int Acceptor::start() {
  const int error = context_.loop.watch(socket_, EPOLLIN | EPOLLEXCLUSIVE, *this);
  is_watched_ = error == 0;
  return error;
}

void Acceptor::stop() {
  if (is_watched_) context_.loop.forget(socket_);
  is_watched_ = false;
  disarm();
}

void Acceptor::on_ready(std::uint32_t) {
  for (int i = 0; i < max_accepted && is_watched_; ++i)
    if (accept_one() == Next::stop) return;
}

Acceptor::Next Acceptor::accept_one() {
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  base::Descriptor socket(
      ::accept4(socket_, reinterpret_cast<sockaddr*>(&name), &octets, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    if (is_of_one_client(errno)) return Next::accept;
    if (errno == EMFILE || errno == ENFILE) return accept_with_spare();
    if (errno != EAGAIN) rest(errno);
    return Next::stop;
  }
  const auto remote = base::endpoint_of(name);
  if (!remote) return Next::accept;
  if (context_.open_connections >= context_.most_connections) {
    tell("the limit of connections is reached", 0);
    refuse(std::move(socket), *remote);
  } else if (!context_.has_memory()) {
    tell("cannot serve more clients now", ENOMEM);
    refuse(std::move(socket), *remote);
  } else {
    begin(std::move(socket), *remote);
  }
  return Next::accept;
}

void Acceptor::begin(base::Descriptor socket, const base::Endpoint& remote) {
  Connection* made = nullptr;
  try {
    const auto& proxies = context_.snapshot->policies->settings().listeners[listener_].proxies;
    const bool has_proxy =
        std::ranges::any_of(proxies, [&](const base::Network& n) { return n.contains(remote.address); });
    const ListenerRef listener{.index = static_cast<std::uint32_t>(listener_), .has_proxy = has_proxy};
    made = &context_.add(std::make_unique<Connection>(context_, remote, listener));
  } catch (const std::bad_alloc&) {
    tell("cannot serve more clients now", ENOMEM);
    return refuse(std::move(socket), remote);
  }
  made->open(std::move(socket));
}

// The spare descriptor makes room for one client, which gets 421.
Acceptor::Next Acceptor::accept_with_spare() {
  const int error = errno;
  tell("cannot serve more clients now", error);
  context_.spare_descriptor.close();
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  base::Descriptor socket(
      ::accept4(socket_, reinterpret_cast<sockaddr*>(&name), &octets, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool has_client = socket.is_open();
  if (has_client) refuse(std::move(socket), base::endpoint_of(name).value_or(base::Endpoint{}));
  socket.close();
  context_.spare_descriptor = base::Descriptor(::fcntl(socket_, F_DUPFD_CLOEXEC, 0));
  if (!has_client) rest(error);
  return has_client ? Next::accept : Next::stop;
}

// In memory that is there, by the settings of the listener: nobody knows the client's class. It may be one that begins with TLS.
void Acceptor::refuse(base::Descriptor socket, const base::Endpoint& remote) {
  constexpr spec::Event event = spec::Event::connect_exhausted;
  const observe::Journal journal = context_.journal_of(remote, ++context_.sessions_begun);
  engine::Service service = context_.find_class(listener_, {})->service();
  if (context_.may_expect_tls(listener_)) service.settings_and_facts.set(spec::bit::SSL, true);
  const std::string_view reply = context_.refuse(journal, service, event);
  context_.metrics.connection_refused(refusal_of(event, service.settings_and_facts));
  if (!reply.empty())
    static_cast<void>(::send(socket.number(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  journal.end("close", {});
  ::shutdown(socket.number(), SHUT_WR);
  // A reset would overtake the reply when octets of the client are unread.
  static_cast<void>(::recv(socket.number(), context_.input.data(), context_.input.size(), MSG_DONTWAIT));
}

void Acceptor::tell(std::string_view what, int error) {
  const base::Time now = context_.loop.now();
  if (told_ != base::Time{} && now - told_ <= std::chrono::minutes(1)) return;
  told_ = now;
  std::array<char, 200> room;
  std::size_t size = 0;
  const char* const reason = error == 0 ? "" : ::strerrordesc_np(error);
  for (const std::string_view part : {what, std::string_view(error == 0 ? "" : ": "), std::string_view(reason)})
    size += part.copy(room.data() + size, room.size() - size);
  constexpr std::string_view result = ": new clients get 421";
  size += result.copy(room.data() + size, room.size() - size);
  context_.own_journal().trouble({room.data(), size});
}

void Acceptor::rest(int error) {
  tell("cannot accept clients now", error);
  stop();
  context_.loop.arm(*this, std::chrono::milliseconds(rest_milliseconds));
}

void Acceptor::on_time() {
  if (const int error = start(); error != 0) rest(error);
}

}  // namespace postern::server
