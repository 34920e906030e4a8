#include "cli/dns_check.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
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

// What each list has, and what none has. Of an address list 127.0.0.2 and 127.0.0.1, and ::FFFF:7F00:2 and ::FFFF:7F00:1; of a list of
// domains TEST and INVALID.
struct Entries {
  std::string_view listed, unlisted;            // before the zone, each with a dot after it
  std::string_view listed_text, unlisted_text;  // for people
};
constexpr Entries of_ipv4{
    .listed = "2.0.0.127.", .unlisted = "1.0.0.127.", .listed_text = "127.0.0.2", .unlisted_text = "127.0.0.1"},
    of_ipv6{.listed = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.",
            .unlisted = "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.",
            .listed_text = "::ffff:7f00:2",
            .unlisted_text = "::ffff:7f00:1"},
    of_domains{.listed = "test.", .unlisted = "invalid.", .listed_text = "test", .unlisted_text = "invalid"};

struct Probe {
  dns::Reply listed, unlisted;
};

void ask(dns::BlockingResolver& resolver, const std::string& zone, const Entries& entries, Probe& probe) {
  resolver.ask({.type = dns::Type::a, .name = std::string(entries.listed) + zone}, probe.listed);
  resolver.ask({.type = dns::Type::a, .name = std::string(entries.unlisted) + zone}, probe.unlisted);
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

// A zone of one setting, and what it is asked about first; IPv6 only where some entry is for it.
struct Asked {
  std::string_view setting;
  Zone zone;
  const Entries& entries;
  Probe first{}, ipv6{};
};

audit::Advice judge(const Asked& asked) {
  const Zone& zone = asked.zone;
  const Entries& entries = asked.entries;
  const std::string name =
      "DNS list " + zone.front()->name + (asked.setting == "DNSBL" ? " " : " of " + std::string(asked.setting) + " ");
  const dns::Answer& listed = asked.first.listed.answer;
  if (listed.kind == dns::Answer::Kind::failed)
    return advice_of(Grade::warning, name + "does not answer: " + std::string(describe(listed.failure)));
  const bool has_unlisted = is_found(zone, asked.first.unlisted.answer);
  if (has_unlisted || is_found(zone, asked.ipv6.unlisted.answer))
    return advice_of(Grade::warning, name + "has an entry for " +
                                         std::string((has_unlisted ? entries : of_ipv6).unlisted_text) +
                                         ", which no list has: it would refuse everybody");
  if (listed.kind == dns::Answer::Kind::none && is_found(zone, asked.ipv6.listed.answer))
    return advice_of(Grade::note, name + "answers " + written(asked.ipv6.listed.answer) +
                                      " for ::ffff:7f00:2, and nothing for IPv4" + weights_of(zone));
  const std::string tested(entries.listed_text);
  if (listed.kind == dns::Answer::Kind::none)
    return advice_of(Grade::warning, name + "has no entry for " + tested + ", which each list has: is that its name?");
  if (!is_found(zone, listed))
    return advice_of(Grade::warning, name + "answers " + written(listed) + " for " + tested +
                                         ", which is no listing here: it refuses this resolver, or other answers were "
                                         "meant");
  return advice_of(Grade::note, name + "answers " + written(listed) + " for " + tested + weights_of(zone));
}

using Lists = std::vector<DnsList>;
using config::ListedBy;

// Nothing where it is malformed, which the start has reported.
Lists lists_of(const Variables& variables, const char* setting, ListedBy by) {
  return config::parse_dns_lists(variables.value_of(setting), by).value_or(Lists());
}

void add(std::string_view setting, const Lists& lists, const Entries& entries, std::deque<Asked>& all) {
  for (Zone& zone : zones_of(lists)) all.emplace_back(setting, std::move(zone), entries);
}

}  // namespace

void advise_on_dns_lists(const Variables& variables, std::vector<audit::Advice>& advice) {
  if (variables.has("RBLSMTPD")) return;
  const Lists of_client = lists_of(variables, "DNSBL", ListedBy::address),
              of_sender = lists_of(variables, "DNSBL_SENDER", ListedBy::domain),
              of_helo = lists_of(variables, "DNSBL_HELO", ListedBy::domain);
  if (of_client.empty() && of_sender.empty() && of_helo.empty()) return;
  auto servers = ask::dns_servers(variables.value_of("POSTERN_DNS"));
  if (!servers && !variables.value_of("POSTERN_DNS").empty()) return;  // refused where the variables are judged
  auto resolver = servers ? dns::BlockingResolver::make({.servers = std::move(*servers)})
                          : std::unexpected(std::move(servers.error()));
  if (!resolver) return advice.push_back(advice_of(Grade::warning, "DNS lists are not asked: " + resolver.error()));
  std::deque<Asked> all;  // gone before the resolver
  add("DNSBL", of_client, of_ipv4, all);
  add("DNSBL_SENDER", of_sender, of_domains, all);
  add("DNSBL_HELO", of_helo, of_domains, all);
  for (Asked& each : all) {
    const std::string& zone = each.zone.front()->zone;
    ask(*resolver, zone, each.entries, each.first);
    if (&each.entries == &of_ipv4 && is_asked_about_ipv6(each.zone)) ask(*resolver, zone, of_ipv6, each.ipv6);
  }
  resolver->wait(base::after_seconds(spec::max_dns_seconds + 1));
  for (const Asked& each : all) advice.push_back(judge(each));
  std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
}

}  // namespace postern::cli
