#include "daemon/domain_listing.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/child.hpp"
#include "config/tcpserver_env.hpp"
#include "dns/blocking_resolver.hpp"
#include "spec/limits.hpp"

namespace postern::daemon {
namespace {

// One domain, and what is heard of it.
struct Listing {
  explicit Listing(const ask::DnsInquiry& question, std::uint64_t threshold)
      : replies(question.lists.size()), listing(question.lists, threshold, question.subject) {}

  std::deque<dns::Reply> replies;  // of each entry
  ask::ClientListing listing;
};

}  // namespace

const ask::DnsVerdict* DomainListing::verdict(const engine::Session& session, const ask::DnsVerdict* of_client) {
  if (transaction_ != session.transactions()) {
    transaction_ = session.transactions();
    sum_ = ask(session, of_client);
  }
  return sum_ ? &*sum_ : of_client;
}

std::optional<ask::DnsVerdict> DomainListing::ask(const engine::Session& session, const ask::DnsVerdict* of_client) {
  const auto address = base::parse_address(config::read_peer(environment_).remote_ip);
  if (!ask::asks_domain_lists(start_) || (address && !ask::asks_domain_lists(start_, *address))) return std::nullopt;
  const std::vector<ask::DnsInquiry> questions = ask::domain_inquiries(start_, session);
  if (questions.empty()) return std::nullopt;
  auto servers = ask::dns_servers(start_.dns_servers);
  auto resolver = servers ? dns::BlockingResolver::make({.servers = std::move(*servers)})
                          : std::unexpected(std::move(servers.error()));
  if (!resolver) {
    journal_.trouble("DNS lists are not asked: " + resolver.error());
    return std::nullopt;
  }
  std::deque<Listing> listings;  // they die before the resolver
  for (const ask::DnsInquiry& question : questions) {
    Listing& one = listings.emplace_back(question, start_.dnsbl_threshold);
    for (std::size_t i = 0; i < one.replies.size(); ++i)
      if (const auto name = one.listing.name_of(i))
        resolver->ask({.type = dns::Type::a, .name = *name}, one.replies[i]);
  }
  resolver->wait(base::after_seconds(spec::max_dns_seconds));
  std::vector<const ask::DnsVerdict*> verdicts;
  if (of_client != nullptr) verdicts.push_back(of_client);
  for (Listing& one : listings) {
    for (std::size_t i = 0; i < one.replies.size(); ++i)
      if (one.listing.name_of(i)) one.listing.take(i, one.replies[i].answer);
    one.listing.close();
    const ask::DnsVerdict& verdict = *one.listing.verdict();
    if (!verdict.unanswered.empty()) journal_.trouble("DNS lists did not answer: " + ask::describe(verdict.unanswered));
    verdicts.push_back(&verdict);
  }
  ask::DnsVerdict sum = ask::add_up(verdicts, start_.dnsbl_threshold);
  if (sum.is_listed && (of_client == nullptr || !of_client->is_listed))
    journal_.dns_listed(sum, start_.dnsbl_threshold);
  return sum;
}

}  // namespace postern::daemon
