#include "server/client/domain_lists.hpp"

#include <algorithm>

#include "server/client/connection.hpp"
#include "server/client/entrance.hpp"
#include "server/policies.hpp"

namespace postern::server {

ask::DnsStanding DomainLists::standing(const engine::Session& session, const ask::DnsVerdict* of_client) {
  if (transaction_ != session.transactions()) begin(session);
  if (is_awaited()) return {.is_awaited = true};
  if (asked_.empty()) return {.verdict = of_client};
  if (!sum_) {
    std::vector<const ask::DnsVerdict*> verdicts;
    if (of_client != nullptr) verdicts.push_back(of_client);
    for (const auto& each : asked_) verdicts.push_back(each->verdict());
    sum_ = ask::add_up(verdicts, connection_.client_.served->start.dnsbl_threshold);
    tell(of_client);
  }
  return {.verdict = &*sum_};
}

bool DomainLists::is_awaited() const {
  return std::ranges::any_of(asked_, [](const auto& each) { return each->verdict() == nullptr; });
}

void DomainLists::withdraw() {
  asked_.clear();
  sum_.reset();
  transaction_.reset();
}

void DomainLists::begin(const engine::Session& session) {
  const Client& client = connection_.client_;
  withdraw();
  transaction_ = session.transactions();
  const config::Configuration& settings = client.context.snapshot->policies->settings();
  if (is_exempt(settings, client.remote.address) ||
      !ask::asks_domain_lists(client.served->start, client.remote.address))
    return;
  for (const ask::DnsInquiry& question : ask::domain_inquiries(client.served->start, session))
    if (auto lists = DnsLists::begin(connection_, question)) asked_.push_back(std::move(lists));
}

void DomainLists::tell(const ask::DnsVerdict* of_client) const {
  if (!sum_->is_listed || (of_client != nullptr && of_client->is_listed)) return;
  Client& client = connection_.client_;
  client.context.metrics.dns_list(observe::DnsResult::listed);
  client.journal().dns_listed(*sum_, client.served->start.dnsbl_threshold);
}

}  // namespace postern::server
