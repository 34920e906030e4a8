#include "daemon/dns_listing.hpp"

#include <algorithm>
#include <utility>

#include "spec/limits.hpp"

namespace postern::daemon {

std::unique_ptr<DnsListing> DnsListing::begin(const config::Start& start, std::string_view client_ip,
                                              const observe::Journal& journal) {
  const auto client = base::parse_address(client_ip);
  auto servers = ask::dns_servers(start.dns_servers);
  auto resolver = servers ? dns::BlockingResolver::make({.servers = std::move(*servers)})
                          : std::unexpected(std::move(servers.error()));
  if (!client || !resolver) {
    journal.trouble("DNS lists are not asked: " + (client ? resolver.error() : "the client's address is not known"));
    return nullptr;
  }
  return std::unique_ptr<DnsListing>(new DnsListing(start, *client, journal, std::move(*resolver)));
}

DnsListing::DnsListing(const config::Start& start, const base::Address& client, const observe::Journal& journal,
                       dns::BlockingResolver resolver)
    : start_(start),
      journal_(journal),
      end_(base::after_seconds(spec::max_dns_seconds)),
      resolver_(std::move(resolver)),
      replies_(start.dns_lists.size()),
      listing_(start.dns_lists, start.dnsbl_threshold, client) {
  for (std::size_t i = 0; i < replies_.size(); ++i)
    if (const auto name = listing_.name_of(i)) resolver_.ask({.type = dns::Type::a, .name = *name}, replies_[i]);
}

void DnsListing::wait(base::Deadline until) { resolver_.wait(std::min(until, end_)); }

const ask::DnsVerdict& DnsListing::verdict() {
  if (const ask::DnsVerdict* const known = listing_.verdict()) return *known;
  wait(end_);
  for (std::size_t i = 0; i < replies_.size(); ++i)
    if (listing_.name_of(i)) listing_.take(i, replies_[i].answer);
  listing_.close();
  const ask::DnsVerdict& verdict = *listing_.verdict();
  if (!verdict.unanswered.empty()) journal_.trouble("DNS lists did not answer: " + ask::describe(verdict.unanswered));
  if (verdict.is_listed) journal_.dns_listed(verdict, start_.dnsbl_threshold);
  return verdict;
}

}  // namespace postern::daemon
