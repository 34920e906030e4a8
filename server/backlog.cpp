#include "server/backlog.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/child.hpp"
#include "base/network.hpp"
#include "engine/session.hpp"
#include "observe/journal.hpp"

namespace postern::server {
namespace {

void tell(const base::Descriptor& socket, const base::Endpoint& remote, const BacklogTeller& teller) {
  engine::LoneSession session(teller.service);
  const engine::Step step = session.report(spec::Event::connect_shutting_down);
  const base::AddressText client = base::write(remote.address);
  observe::Journal(client.view(), {}, teller.voice, teller.listener).refusal(step);
  teller.metrics.rule_hit(step.rule);
  if (step.code != 0) {
    teller.metrics.replied(step.code);
    static_cast<void>(::send(socket.number(), step.reply.data(), step.reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  ::shutdown(socket.number(), SHUT_WR);
  // A reset would overtake the reply when octets of the client are unread.
  std::array<char, 4096> unread;
  static_cast<void>(::recv(socket.number(), unread.data(), unread.size(), MSG_DONTWAIT));
}

}  // namespace

void tell_backlog(int socket, const BacklogTeller& teller, base::Time until) {
  for (std::uint32_t i = 0; i < spec::max_shutdown_backlog && std::chrono::steady_clock::now() < until; ++i) {
    sockaddr_storage name{};
    socklen_t octets = sizeof name;
    const base::Descriptor client(
        ::accept4(socket, reinterpret_cast<sockaddr*>(&name), &octets, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client.is_open())
      tell(client, base::endpoint_of(name).value_or(base::Endpoint{}), teller);
    else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO)
      return;
  }
}

}  // namespace postern::server
