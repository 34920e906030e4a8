#include "server/client/client_name.hpp"

#include <chrono>
#include <new>
#include <utility>

#include "server/client/connection.hpp"
#include "server/client/entrance.hpp"

namespace postern::server {
namespace {

constexpr std::chrono::seconds name_trouble{10};

}  // namespace

std::unique_ptr<ClientName> ClientName::begin(Connection& connection) {
  Client& client = connection.client_;
  if (!looks_up_name(client.context.snapshot->policies->settings(), client.remote.address)) return nullptr;
  dns::Resolver* const resolver = client.context.find_resolver();
  if (resolver == nullptr) return nullptr;
  std::unique_ptr<ClientName> name(new ClientName(connection, *resolver));
  name->question_ = ask::OpenQuestion(&client.context.questions, ask::Source::client_name);
  if (const Outcome* const known = name->dns::ConfirmedName::begin(client.remote.address)) name->take(*known);
  return name;
}

void ClientName::take(const Outcome& outcome) try {
  is_awaited_ = false;
  const bool has_failed = outcome.kind == Outcome::Kind::failed;
  question_.end(has_failed ? ask::Outcome::failed : ask::Outcome::accepted);
  if (has_failed) tell_of_failure(outcome);
  name_ = outcome.name;
  if (!name_.empty()) connection_.client_.journal().named(name_);
} catch (const std::bad_alloc&) {
  name_.clear();
}

void ClientName::tell_of_failure(const Outcome& outcome) {
  LoopContext& context = connection_.context();
  if (context.loop.now() < context.next_name_trouble) return;
  context.next_name_trouble = context.loop.now() + name_trouble;
  connection_.client_.journal().trouble("the name of this client cannot be looked up: " +
                                        std::string(describe(outcome.failure)));
}

// The connection has a turn of its own for it: here another one may be at work.
void ClientName::ended(const Outcome& outcome) {
  take(outcome);
  if (!std::exchange(connection_.is_queued_, true)) connection_.context().loop.again(connection_);
}

}  // namespace postern::server
