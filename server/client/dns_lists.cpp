#include "server/client/dns_lists.hpp"

#include <new>
#include <utility>

#include "server/client/connection.hpp"
#include "server/client/entrance.hpp"
#include "server/policies.hpp"

namespace postern::server {

using dns::Answer;

namespace {

// These are never remembered: nobody was asked, for lack of a place or of memory.
bool is_known(const Answer& answer) {
  using enum Answer::Failure;
  return answer.failure != crowded && answer.failure != resting && answer.failure != no_name &&
         answer.failure != no_memory;
}

}  // namespace

std::unique_ptr<DnsLists> DnsLists::begin(Connection& connection) {
  const Client& client = connection.client_;
  const config::Configuration& settings = client.context.snapshot->policies->settings();
  if (!asks_dns_lists(settings, client.served->start, client.remote.address)) return nullptr;
  return begin(connection, About::client, {client.served->start.dns_lists, client.remote.address});
}

std::unique_ptr<DnsLists> DnsLists::begin(Connection& connection, const ask::DnsInquiry& domain) {
  return begin(connection, About::domain, domain);
}

std::unique_ptr<DnsLists> DnsLists::begin(Connection& connection, About about, const ask::DnsInquiry& asked) {
  if (connection.context().find_resolver() == nullptr) return nullptr;
  std::unique_ptr<DnsLists> lists(new DnsLists(connection, about, asked));
  for (std::size_t i = 0; i < lists->listing_.entries(); ++i)
    if (const auto name = lists->listing_.name_of(i)) lists->ask(i, *name);
  if (lists->verdict() != nullptr) lists->tell();
  return lists;
}

DnsLists::DnsLists(Connection& connection, About about, const ask::DnsInquiry& asked)
    : connection_(connection),
      about_(about),
      lists_(asked.lists),
      listing_(asked.lists, connection.client_.served->start.dnsbl_threshold, asked.subject) {}

Client& DnsLists::client() const { return connection_.client_; }

void DnsLists::ask(std::size_t entry, const std::string& name) {
  const Answer* known = nullptr;
  const Answer no_memory = dns::failed(Answer::Failure::no_memory);
  LoopContext& context = client().context;
  const config::DnsList& list = lists_[entry];
  ask::OpenQuestion asked;
  try {
    Question& question = questions_.emplace_back(*this, entry);
    known = context.resolver->ask({.type = dns::Type::a, .name = name, .zone = list.zone}, question);
    if (known == nullptr || !is_known(*known))
      asked = ask::OpenQuestion(&context.questions, ask::Source::dns_list, list.name);
    if (known == nullptr) question.asked = std::move(asked);
  } catch (const std::bad_alloc&) {
    known = &no_memory;
  }
  const bool is_cached = known != nullptr && is_known(*known);
  context.metrics.dns_list(is_cached ? observe::DnsResult::cached : observe::DnsResult::asked);
  if (is_cached) context.questions.remembered(ask::Source::dns_list, list.name);
  if (known != nullptr) take(entry, *known, asked);
}

// An answer by which a list says that it does not answer is a failure, too.
void DnsLists::take(std::size_t entry, const Answer& answer, ask::OpenQuestion& asked) {
  ask::Outcome outcome = ask::Outcome::failed;
  try {
    outcome = listing_.outcome_of(entry, ask::answer_of(answer));
  } catch (const std::bad_alloc&) {
    // then it has failed
  }
  asked.end(outcome);
  if (outcome == ask::Outcome::failed) client().context.metrics.dns_list(observe::DnsResult::failed);
  listing_.take(entry, answer);
}

// The connection has a turn of its own for it: here another one may be at work.
void DnsLists::heard(Question& question, const Answer& answer) {
  take(question.entry, answer, question.asked);
  if (verdict() == nullptr) return;
  tell();
  if (!std::exchange(connection_.is_queued_, true)) connection_.context().loop.again(connection_);
}

void DnsLists::tell() const {
  const ask::DnsVerdict& known = *verdict();
  const std::string silent = client().context.dns_counts.take(known, client().context.loop.now());
  if (!silent.empty()) client().journal().trouble("DNS lists did not answer: " + silent);
  if (!known.is_listed || about_ == About::domain) return;  // what both come to is told with a recipient
  client().context.metrics.dns_list(observe::DnsResult::listed);
  client().journal().dns_listed(known, client().served->start.dnsbl_threshold);
}

}  // namespace postern::server
