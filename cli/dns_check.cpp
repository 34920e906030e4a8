#include "cli/dns_check.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

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

// The entries of one zone are one list; what they may answer is what each of them may.
using Zone = std::vector<const DnsList*>;

std::vector<Zone> zones_of(const std::vector<DnsList>& lists) {
  std::vector<Zone> zones;
  for (const DnsList& list : lists) {
    const auto found = std::ranges::find(zones, list.zone, [](const Zone& zone) { return zone.front()->zone; });
    if (found == zones.end())
      zones.push_back({&list});
    else
      found->push_back(&list);
  }
  return zones;
}

bool is_asked_about_ipv6(const Zone& zone) {
  return std::ranges::any_of(zone, [](const DnsList* each) { return !each->is_for_ipv4; });
}

// RFC 5782 5: 127.0.0.2 and ::FFFF:7F00:2 are on each list, 127.0.0.1 and ::FFFF:7F00:1 on none.
constexpr std::string_view ipv4_end = ".0.0.127.",
                           ipv6_end = ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.";

struct Probe {
  dns::Reply listed, unlisted;
};
struct Probes {
  Probe ipv4, ipv6;
};

void ask(dns::BlockingResolver& resolver, const std::string& zone, std::string_view end, Probe& probe) {
  resolver.ask({.type = dns::Type::a, .name = "2" + std::string(end) + zone}, probe.listed);
  resolver.ask({.type = dns::Type::a, .name = "1" + std::string(end) + zone}, probe.unlisted);
}

bool is_found(const Zone& zone, const dns::Answer& answer) {
  return std::ranges::any_of(answer.addresses, [&](const base::Address& address) {
    const auto octets = address.octets();
    return address.is_ipv4() && std::ranges::any_of(zone, [&](const DnsList* each) {
             return each->has({octets[0], octets[1], octets[2], octets[3]});
           });
  });
}

std::string written(const dns::Answer& answer) {
  std::string text;
  for (const base::Address& address : answer.addresses)
    text.append(text.empty() ? "" : ", ").append(write(address).view());
  return text;
}

std::string weights_of(const Zone& zone) {
  std::string text = zone.size() == 1 ? "; weight " : "; weights ";
  for (const DnsList* each : zone) text += (each == zone.front() ? "" : ", ") + std::to_string(each->weight);
  return text;
}

audit::Advice judge(const Zone& zone, const Probes& probes) {
  const std::string name = "DNS list " + zone.front()->name + " ";
  const dns::Answer& listed = probes.ipv4.listed.answer;
  if (listed.kind == dns::Answer::Kind::failed)
    return advice_of(Grade::warning, name + "does not answer: " + std::string(describe(listed.failure)));
  const bool has_unlisted = is_found(zone, probes.ipv4.unlisted.answer);
  if (has_unlisted || is_found(zone, probes.ipv6.unlisted.answer))
    return advice_of(Grade::warning, name + "has an entry for " + (has_unlisted ? "127.0.0.1" : "::ffff:7f00:1") +
                                         ", which no list has: it would refuse everybody");
  if (listed.kind == dns::Answer::Kind::none && is_found(zone, probes.ipv6.listed.answer))
    return advice_of(Grade::note, name + "answers " + written(probes.ipv6.listed.answer) +
                                      " for ::ffff:7f00:2, and nothing for IPv4" + weights_of(zone));
  if (listed.kind == dns::Answer::Kind::none)
    return advice_of(Grade::warning, name + "has no entry for 127.0.0.2, which each list has: is that its name?");
  if (!is_found(zone, listed))
    return advice_of(Grade::warning, name + "answers " + written(listed) +
                                         " for 127.0.0.2, which is no listing here: it refuses this resolver, or other "
                                         "answers were meant");
  return advice_of(Grade::note, name + "answers " + written(listed) + " for 127.0.0.2" + weights_of(zone));
}

}  // namespace

void advise_on_dns_lists(const Variables& variables, std::vector<audit::Advice>& advice) {
  const auto lists = config::parse_dns_lists(variables.value_of("DNSBL"));
  if (!lists || lists->empty() || variables.has("RBLSMTPD")) return;
  auto servers = ask::dns_servers(variables.value_of("POSTERN_DNS"));
  if (!servers && !variables.value_of("POSTERN_DNS").empty()) return;  // refused where the variables are judged
  auto resolver = servers ? dns::BlockingResolver::make({.servers = std::move(*servers)})
                          : std::unexpected(std::move(servers.error()));
  if (!resolver) return advice.push_back(advice_of(Grade::warning, "DNS lists are not asked: " + resolver.error()));
  const std::vector<Zone> zones = zones_of(*lists);
  std::deque<Probes> probes(zones.size());
  for (std::size_t i = 0; i < zones.size(); ++i) {
    const std::string& zone = zones[i].front()->zone;
    ask(*resolver, zone, ipv4_end, probes[i].ipv4);
    if (is_asked_about_ipv6(zones[i])) ask(*resolver, zone, ipv6_end, probes[i].ipv6);
  }
  resolver->wait(base::after_seconds(spec::max_dns_seconds + 1));
  for (std::size_t i = 0; i < zones.size(); ++i) advice.push_back(judge(zones[i], probes[i]));
  std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
}

}  // namespace postern::cli
