#include "listener/backlog.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "daemon/child.hpp"
#include "daemon/journal.hpp"
#include "engine/session.hpp"
#include "listener/network.hpp"

namespace postern::listener {
namespace {

void tell(const daemon::Descriptor& socket, const Endpoint& remote, const BacklogTeller& teller) {
  engine::LoneSession session({});
  const engine::Step step = session.report(spec::Event::shutting_down);
  const AddressText client = write(remote.address);
  daemon::Journal(client.view(), {}, teller.voice, teller.listener).refusal(step, session);
  teller.metrics.rule_hit(step.rule);
  if (!teller.begins_in_tls) {
    teller.metrics.replied(step.code);
    static_cast<void>(::send(socket.number(), step.reply.data(), step.reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  ::shutdown(socket.number(), SHUT_WR);
  // A reset would overtake the reply when octets of the client are unread.
  std::array<char, 4096> unread;
  static_cast<void>(::recv(socket.number(), unread.data(), unread.size(), MSG_DONTWAIT));
}

}  // namespace

void tell_backlog(int socket, const BacklogTeller& teller, Time until) {
  for (std::uint32_t i = 0; i < spec::max_shutdown_backlog && std::chrono::steady_clock::now() < until; ++i) {
    sockaddr_storage name{};
    socklen_t octets = sizeof name;
    const daemon::Descriptor client(
        ::accept4(socket, reinterpret_cast<sockaddr*>(&name), &octets, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client.is_open())
      tell(client, endpoint_of(name).value_or(Endpoint{}), teller);
    else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO)
      return;
  }
}

}  // namespace postern::listener
