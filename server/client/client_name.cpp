#include "server/client/client_name.hpp"

#include <new>
#include <utility>

#include "server/client/connection.hpp"
#include "server/client/entrance.hpp"

namespace postern::server {

std::unique_ptr<ClientName> ClientName::begin(Connection& connection) {
  Client& client = connection.client_;
  if (!looks_up_name(client.context.snapshot->policies->settings(), client.remote.address)) return nullptr;
  dns::Resolver* const resolver = client.context.find_resolver();
  if (resolver == nullptr) return nullptr;
  std::unique_ptr<ClientName> name(new ClientName(connection, *resolver));
  if (const Outcome* const known = name->dns::ConfirmedName::begin(client.remote.address)) name->take(*known);
  return name;
}

void ClientName::take(const Outcome& outcome) try {
  is_awaited_ = false;
  name_ = outcome.name;
  if (!name_.empty()) connection_.client_.journal().named(name_);
} catch (const std::bad_alloc&) {  // then there is none
}

// The connection has a turn of its own for it: here another one may be at work.
void ClientName::ended(const Outcome& outcome) {
  take(outcome);
  if (!std::exchange(connection_.is_queued_, true)) connection_.context().loop.again(connection_);
}

}  // namespace postern::server
