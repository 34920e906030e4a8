#include "server/client/dns_lists.hpp"

#include <new>
#include <utility>

#include "server/client/connection.hpp"

namespace postern::server {

using dns::Answer;

namespace {

bool has_failed(const Answer& answer) try {
  return !ask::why_unanswered(ask::answer_of(answer)).empty();
} catch (const std::bad_alloc&) {
  return true;
}

}  // namespace

std::unique_ptr<DnsLists> DnsLists::begin(Connection& connection) {
  if (connection.context().find_resolver() == nullptr) return nullptr;
  std::unique_ptr<DnsLists> lists(new DnsLists(connection));
  for (std::size_t i = 0; i < lists->listing_.entries(); ++i)
    if (const auto name = lists->listing_.name_of(i)) lists->ask(i, *name);
  if (lists->verdict() != nullptr) lists->tell();
  return lists;
}

DnsLists::DnsLists(Connection& connection)
    : connection_(connection),
      listing_(connection.client_.served->start.dns_lists, connection.client_.served->start.dnsbl_threshold,
               connection.client_.remote.address) {}

Client& DnsLists::client() const { return connection_.client_; }

void DnsLists::ask(std::size_t entry, const std::string& name) {
  const Answer* known = nullptr;
  const Answer no_memory = dns::failed(Answer::Failure::no_memory);
  try {
    Question& question = questions_.emplace_back(*this, entry);
    const std::string& zone = client().served->start.dns_lists[entry].zone;
    known = connection_.context().resolver->ask({.type = dns::Type::a, .name = name, .zone = zone}, question);
  } catch (const std::bad_alloc&) {
    known = &no_memory;
  }
  client().context.metrics.dns_list(known == nullptr ? observe::DnsResult::asked : observe::DnsResult::cached);
  if (known != nullptr) take(entry, *known);
}

// An answer by which a list says that it does not answer is a failure, too.
void DnsLists::take(std::size_t entry, const Answer& answer) {
  if (has_failed(answer)) client().context.metrics.dns_list(observe::DnsResult::failed);
  listing_.take(entry, answer);
}

// The connection has a turn of its own for it: here another one may be at work.
void DnsLists::heard(std::size_t entry, const Answer& answer) {
  take(entry, answer);
  if (verdict() == nullptr) return;
  tell();
  if (!std::exchange(connection_.is_queued_, true)) connection_.context().loop.again(connection_);
}

void DnsLists::tell() const {
  const ask::DnsVerdict& known = *verdict();
  const std::string silent = client().context.dns_counts.take(known, client().context.loop.now());
  if (!silent.empty()) client().journal().trouble("DNS lists did not answer: " + silent);
  if (!known.is_listed) return;
  client().context.metrics.dns_list(observe::DnsResult::listed);
  client().journal().dns_listed(known, client().served->start.dnsbl_threshold);
}

}  // namespace postern::server
