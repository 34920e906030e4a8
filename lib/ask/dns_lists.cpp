#include "ask/dns_lists.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "dns/name.hpp"

namespace postern::ask {

using config::DnsList;

std::optional<std::string> name_to_ask(const DnsList& list, const base::Address& client) {
  if (list.is_for_ipv4 && !client.is_ipv4()) return std::nullopt;
  return dns::reversed(client) + "." + list.zone;
}

std::size_t asks_for(std::span<const DnsList> lists, std::size_t entry, const base::Address& client) {
  const auto asks_the_same = [&](const DnsList& other) {
    return other.zone == lists[entry].zone && (client.is_ipv4() || !other.is_for_ipv4);
  };
  return static_cast<std::size_t>(std::ranges::find_if(lists.first(entry), asks_the_same) - lists.begin());
}

std::string why_unanswered(const DnsAnswer& answer) {
  if (answer.kind == DnsAnswer::Kind::failed) return std::string(answer.why);
  const auto refusal = std::ranges::find_if_not(answer.addresses, config::may_be_listing);
  if (refusal == answer.addresses.end()) return {};
  return std::string(write(base::Address::of_ipv4(*refusal)).view());
}

std::string describe(const std::vector<Unanswered>& lists) {
  std::string text;
  for (const Unanswered& each : lists)
    text.append(text.empty() ? "" : ", ").append(each.list).append(" (").append(each.why).append(")");
  return text;
}

namespace {

template <typename Value>
void add(std::vector<Value>& all, Value one) {
  if (std::ranges::find(all, one) == all.end()) all.push_back(std::move(one));
}

void add(std::string& all, std::string_view one, std::string_view between) {
  const std::string apart(between);
  const bool is_there = (apart + all + apart).contains(apart + std::string(one) + apart);
  if (!is_there && !one.empty()) all.append(all.empty() ? "" : between).append(one);
}

}  // namespace

DnsVerdict judge(std::span<const DnsList> lists, std::span<const DnsAnswer> answers, std::uint64_t threshold,
                 const base::Address& client) {
  DnsVerdict verdict;
  std::string names;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const DnsList& list = lists[i];
    if (list.is_for_ipv4 && !client.is_ipv4()) continue;
    const DnsAnswer& answer = answers[asks_for(lists, i, client)];
    if (std::string why = why_unanswered(answer); !why.empty())
      add(verdict.unanswered, Unanswered{.list = list.name, .why = std::move(why)});
    const bool is_answer = answer.kind == DnsAnswer::Kind::addresses;
    if (!is_answer || std::ranges::none_of(answer.addresses, [&](const auto& each) { return list.has(each); }))
      continue;
    verdict.score += list.weight;
    add(verdict.listed_by, list.name);
    verdict.detail.append(verdict.detail.empty() ? "" : " ").append(list.name + "*" + std::to_string(list.weight));
    if (list.weight > 0) add(names, list.name, ", ");
  }
  verdict.is_listed = verdict.score > 0 && static_cast<std::uint64_t>(verdict.score) >= threshold;
  if (verdict.is_listed) verdict.words = std::string(write(client).view()) + " is on " + names;
  return verdict;
}

}  // namespace postern::ask
