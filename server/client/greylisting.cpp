#include "server/client/greylisting.hpp"

#include <chrono>
#include <new>

#include "ask/greylist.hpp"
#include "server/client/client.hpp"
#include "server/loop_context.hpp"

namespace postern::server {

bool is_greylisted(Client& client, const engine::Session& session, std::string_view recipient) try {
  const ask::DnsVerdict* const verdict = client.dns_lists == nullptr ? nullptr : client.dns_lists->verdict();
  if (client.is_exempt() || !ask::may_be_greylisted(client.remote.address, verdict)) return false;
  LoopContext& context = client.context;
  const limits::GreylistStanding standing = context.greylist.ask(
      {.client = client.remote.address, .sender = session.envelope().reverse_path(), .recipient = recipient},
      std::chrono::seconds(client.served->start.greylist_seconds), context.loop.now());
  context.metrics.greylist(standing);
  return is_deferred(standing);
} catch (const std::bad_alloc&) {
  client.journal().trouble("no memory for the greylist: this recipient is not greylisted");
  return false;
}

}  // namespace postern::server
