#include "ask/dns_lists.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "config/control.hpp"
#include "dns/name.hpp"

namespace postern::ask {

using config::DnsList;

constexpr std::size_t longest_name = 253;  // RFC 1035 2.3.4

std::optional<DnsSubject> DnsSubject::of_domain(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || !dns::Name::of(domain)) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (std::ranges::all_of(domain.substr(dot + 1), is_digit)) return std::nullopt;  // RFC 1123 2.1: no domain ends so
  return DnsSubject(config::in_lower_case(domain));
}

bool DnsSubject::is_for(const DnsList& list) const {
  const auto* const client = std::get_if<base::Address>(&is_);
  return client == nullptr || client->is_ipv4() || !list.is_for_ipv4;
}

std::string DnsSubject::labels() const {
  const auto* const client = std::get_if<base::Address>(&is_);
  return client != nullptr ? dns::reversed(*client) : std::get<std::string>(is_);
}

std::string DnsSubject::text() const {
  const auto* const client = std::get_if<base::Address>(&is_);
  return client != nullptr ? std::string(write(*client).view()) : std::get<std::string>(is_);
}

std::optional<std::string> name_to_ask(const DnsList& list, const DnsSubject& subject) {
  if (!subject.is_for(list)) return std::nullopt;
  std::string name = subject.labels() + "." + list.zone;
  return name.size() <= longest_name ? std::optional(std::move(name)) : std::nullopt;
}

std::size_t asks_for(std::span<const DnsList> lists, std::size_t entry, const DnsSubject& subject) {
  const auto asks_the_same = [&](const DnsList& other) {
    return other.zone == lists[entry].zone && subject.is_for(other);
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

void decide(DnsVerdict& verdict, std::uint64_t threshold) {
  verdict.is_listed = verdict.score > 0 && static_cast<std::uint64_t>(verdict.score) >= threshold;
  if (verdict.is_listed) verdict.words = verdict.named;
}

// Which entries count: those that have an answer, and of the two settings the one in which it weighs more.
std::vector<bool> counted(std::span<const DnsList> lists, std::span<const DnsAnswer> answers,
                          const DnsSubject& subject) {
  std::vector<bool> count(lists.size());
  std::vector<std::array<int, 2>> sums(lists.size());  // of the zone that is asked for the entry: of each setting
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!name_to_ask(lists[i], subject)) continue;
    const std::size_t asked = asks_for(lists, i, subject);
    count[i] = answers[asked].kind == DnsAnswer::Kind::addresses &&
               std::ranges::any_of(answers[asked].addresses, [&](const auto& each) { return lists[i].has(each); });
    if (count[i]) sums[asked][lists[i].is_of_helo ? 1 : 0] += lists[i].weight;
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!count[i]) continue;
    const auto& [sender, helo] = sums[asks_for(lists, i, subject)];
    count[i] = lists[i].is_of_helo == (std::abs(helo) > std::abs(sender));
  }
  return count;
}

}  // namespace

DnsVerdict judge(std::span<const DnsList> lists, std::span<const DnsAnswer> answers, std::uint64_t threshold,
                 const DnsSubject& subject) {
  DnsVerdict verdict;
  const std::vector<bool> counts = counted(lists, answers, subject);
  std::string names;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const DnsList& list = lists[i];
    if (!name_to_ask(list, subject)) continue;
    const DnsAnswer& answer = answers[asks_for(lists, i, subject)];
    if (std::string why = why_unanswered(answer); !why.empty())
      add(verdict.unanswered, Unanswered{.list = list.name, .why = std::move(why)});
    if (!counts[i]) continue;
    verdict.score += list.weight;
    add(verdict.listed_by, list.name);
    verdict.detail.append(verdict.detail.empty() ? "" : " ").append(list.name + "*" + std::to_string(list.weight));
    if (list.weight > 0) add(names, list.name, ", ");
  }
  if (!names.empty()) verdict.named = subject.text() + " is on " + names;
  decide(verdict, threshold);
  return verdict;
}

DnsVerdict add_up(std::span<const DnsVerdict* const> verdicts, std::uint64_t threshold) {
  DnsVerdict sum;
  for (const DnsVerdict* const each : verdicts) {
    sum.score += each->score;
    add(sum.named, each->named, ", ");
    if (!each->detail.empty()) sum.detail.append(sum.detail.empty() ? "" : " ").append(each->detail);
    for (const std::string& list : each->listed_by) add(sum.listed_by, list);
  }
  decide(sum, threshold);
  return sum;
}

}  // namespace postern::ask
