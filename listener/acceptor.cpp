#include "listener/acceptor.hpp"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "listener/connection.hpp"
#include "listener/policies.hpp"

namespace postern::listener {
namespace {

// Gone before it was accepted, or refused by a filter: the next one may be there.
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
  if (is_watched_ && !context_.has_memory()) return rest(ENOMEM);
  for (int i = 0; i < max_accepted && is_watched_; ++i)
    if (!accept_one()) return;
}

bool Acceptor::accept_one() {
  sockaddr_storage name{};
  socklen_t octets = sizeof name;
  daemon::Descriptor socket(
      ::accept4(socket_, reinterpret_cast<sockaddr*>(&name), &octets, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    if (is_of_one_client(errno)) return true;
    if (errno != EAGAIN) rest(errno);
    return false;
  }
  const auto remote = endpoint_of(name);
  if (!remote) return true;
  const auto& proxies = context_.policies->settings().listeners[listener_].proxies;
  const bool has_proxy = std::ranges::any_of(proxies, [&](const Network& n) { return n.contains(remote->address); });
  auto* const connection =
      new Connection(context_, std::move(socket), *remote, {.listener = listener_, .has_proxy = has_proxy});
  connection->open();
  return true;
}

void Acceptor::rest(int error) {
  const Time now = context_.loop.now();
  if (told_ == Time{} || now - told_ > std::chrono::minutes(1)) {
    told_ = now;
    context_.own_journal().trouble(std::string("cannot accept clients just now: ") + ::strerror(error));
  }
  stop();
  context_.loop.arm(*this, std::chrono::milliseconds(rest_milliseconds));
}

void Acceptor::on_time() {
  if (const int error = start(); error != 0) rest(error);
}

}  // namespace postern::listener
