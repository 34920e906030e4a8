#include "server/client/client.hpp"

#include <sys/socket.h>

#include <string>
#include <utility>

#include "server/client/entrance.hpp"
#include "server/loop_context.hpp"

namespace postern::server {

void Client::speaks_for(const base::Endpoint& source, const base::Endpoint& destination) {
  remote = source;
  local_ = destination;
  knows_local_ = true;
}

observe::Journal Client::journal() const { return context.journal_of(remote, number); }

observe::Journal Client::journal_of_decisions() const {
  return context.journal_of(remote, number, context.listener_names[listener.index]);
}

const base::Endpoint& Client::local(int socket) {
  if (std::exchange(knows_local_, true)) return local_;
  sockaddr_storage bound{};
  socklen_t octets = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &octets) == 0)
    local_ = base::endpoint_of(bound).value_or(base::Endpoint{});
  return local_;
}

bool Client::is_exempt() const { return server::is_exempt(context.snapshot->policies->settings(), remote.address); }

engine::Service Client::service() const {
  engine::Service service = (served != nullptr ? served : context.find_class(listener.index, {}))->service();
  if (expects_tls) service.settings_and_facts.set(spec::bit::SSL, *expects_tls);
  return service;
}

// A look-up walks over the whole environment: what is asked for each message is found once.
Client::Facts& Client::facts(int socket) {
  if (facts_ != nullptr) return *facts_;
  auto made = std::make_unique<Facts>(base::Environment(served->pointers.data()));
  const base::AddressText remote_ip = write(remote.address), local_ip = write(local(socket).address);
  config::write_peer(made->environment, {.remote_ip = remote_ip.view(),
                                         .remote_port = std::to_string(remote.port),
                                         .local_ip = local_ip.view(),
                                         .local_port = std::to_string(local(socket).port)});
  if (confirmed_name != nullptr && !confirmed_name->name().empty())
    made->environment.set("TCPREMOTEHOST", confirmed_name->name());
  made->peer = config::read_peer(made->environment);
  facts_ = std::move(made);
  return *facts_;
}

}  // namespace postern::server
