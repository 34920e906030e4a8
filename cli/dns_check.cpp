#include "cli/dns_check.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "ask/client_listing.hpp"
#include "base/child.hpp"
#include "dns/blocking_resolver.hpp"
#include "spec/limits.hpp"

namespace postern::cli {
namespace {

using audit::Grade;
using config::DnsList;

audit::Advice advice_of(Grade grade, std::string sentence) {
  return {grade, "dns_list", std::move(sentence), "RFC 5782 5"};
}

// Of one list: what it says of an address that each list has, and of one that none has.
struct Probe {
  dns::Reply listed, unlisted;
};

bool is_found(const DnsList& list, const dns::Answer& answer) {
  return std::ranges::any_of(answer.addresses, [&](const base::Address& address) {
    const auto octets = address.octets();
    return address.is_ipv4() && list.has({octets[0], octets[1], octets[2], octets[3]});
  });
}

std::string written(const dns::Answer& answer) {
  std::string text;
  for (const base::Address& address : answer.addresses)
    text.append(text.empty() ? "" : ", ").append(write(address).view());
  return text;
}

audit::Advice judge(const DnsList& list, const Probe& probe) {
  const std::string name = "DNS list " + list.name + " ";
  const dns::Answer &listed = probe.listed.answer, &unlisted = probe.unlisted.answer;
  if (listed.kind == dns::Answer::Kind::failed)
    return advice_of(Grade::warning, name + "does not answer: " + std::string(describe(listed.failure)));
  if (listed.kind == dns::Answer::Kind::none)
    return advice_of(Grade::warning, name + "has no entry for 127.0.0.2, which each list has: is that its name?");
  if (is_found(list, unlisted))
    return advice_of(Grade::warning, name + "has an entry for 127.0.0.1, which no list has: it would refuse everybody");
  if (!is_found(list, listed))
    return advice_of(Grade::warning, name + "answers " + written(listed) +
                                         " for 127.0.0.2, which is no listing here: it refuses this resolver, or other "
                                         "answers were meant");
  return advice_of(Grade::note,
                   name + "answers " + written(listed) + " for 127.0.0.2; weight " + std::to_string(list.weight));
}

}  // namespace

void advise_on_dns_lists(const Variables& variables, std::vector<audit::Advice>& advice) {
  const auto lists = config::parse_dns_lists(variables.value_of("DNSBL"));
  if (!lists || lists->empty() || variables.has("RBLSMTPD")) return;
  auto servers = ask::dns_servers(variables.value_of("POSTERN_DNS"));
  auto resolver = servers ? dns::BlockingResolver::make({.servers = std::move(*servers)})
                          : std::unexpected(std::move(servers.error()));
  if (!resolver) return advice.push_back(advice_of(Grade::warning, "DNS lists are not asked: " + resolver.error()));
  std::deque<Probe> probes(lists->size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const std::string zone = "." + (*lists)[i].zone;
    resolver->ask({.type = dns::Type::a, .name = "2.0.0.127" + zone}, probes[i].listed);
    resolver->ask({.type = dns::Type::a, .name = "1.0.0.127" + zone}, probes[i].unlisted);
  }
  resolver->wait(base::after_seconds(spec::max_dns_seconds + 1));
  for (std::size_t i = 0; i < probes.size(); ++i) advice.push_back(judge((*lists)[i], probes[i]));
  std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
}

}  // namespace postern::cli
