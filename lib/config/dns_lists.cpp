#include "config/dns_lists.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/number.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

using Problem = std::unexpected<std::string>;

constexpr std::string_view only_ipv4 = "ipv4:";
constexpr std::string_view keyed_zone = ".dq.spamhaus.net";  // whose first label is always a key
constexpr std::string_view separators = " \t,";
// RFC 1035 2.3.4: a name; an IPv6 address before it takes 64 of them (RFC 5782 2.4).
constexpr std::size_t longest_zone = 253 - 64, longest_label = 63;
constexpr std::string_view how_to_write =
    ": write which answers are a listing, as in zen.spamhaus.org=127.0.0.[2..11]*3; "
    "=127.0.0.[0..255] if all of 127.0.0.0/24 is meant";

// What may be shown of an entry: no key.
std::string_view shown(std::string_view entry) {
  if (const std::size_t at = entry.rfind('@'); at != std::string_view::npos) return entry.substr(at + 1);
  if (!entry.contains(keyed_zone)) return entry;
  const std::size_t dot = entry.find('.');
  return entry.substr(dot + 1);
}

Problem wrong(std::string_view entry, std::string_view what) {
  std::string text(shown(entry));
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c > '~'; }, '?');
  return Problem("\"" + text + "\"" + std::string(what));
}

bool is_label(std::string_view label) {
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= longest_label && std::ranges::all_of(label, is_of_name);
}

// Two labels or more.
bool is_zone(std::string_view zone) {
  if (zone.size() > longest_zone || !zone.contains('.')) return false;
  while (true) {
    const std::size_t dot = zone.find('.');
    if (!is_label(zone.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    zone.remove_prefix(dot + 1);
  }
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// `7` or `2..11`.
bool add_range(DnsList::Octets& octets, std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto first = base::parse_unsigned(text.substr(0, dots), 255);
  const auto last = dots == std::string_view::npos ? first : base::parse_unsigned(text.substr(dots + 2), 255);
  if (!first || !last || *first > *last) return false;
  for (std::size_t octet = *first; octet <= *last; ++octet) octets.set(octet);
  return true;
}

// `7` or `[2;4..7]`; takes it off `text`, with the dot after it.
std::optional<DnsList::Octets> take_octets(std::string_view& text) {
  DnsList::Octets octets;
  const bool is_set = text.starts_with('[');
  const std::size_t end = std::min(text.find(is_set ? ']' : '.'), text.size());
  if (is_set && end == text.size()) return std::nullopt;
  std::string_view ranges = is_set ? text.substr(1, end - 1) : text.substr(0, end);
  text.remove_prefix(is_set ? end + 1 : end);
  if (!is_set && !base::parse_unsigned(ranges, 255)) return std::nullopt;
  while (true) {
    const std::size_t semicolon = ranges.find(';');
    if (!add_range(octets, ranges.substr(0, semicolon))) return std::nullopt;
    if (semicolon == std::string_view::npos) return octets;
    ranges.remove_prefix(semicolon + 1);
  }
}

// The first number in it that no octet of an address can be; empty: there is none.
std::string_view number_above_255(std::string_view text) {
  constexpr std::string_view digits = "0123456789";
  while (true) {
    text.remove_prefix(std::min(text.find_first_of(digits), text.size()));
    const std::string_view number = text.substr(0, text.find_first_not_of(digits));
    const std::string_view value = number.substr(std::min(number.find_first_not_of('0'), number.size()));
    if (value.size() > 3 || (value.size() == 3 && value > "255")) return number;
    if (number.empty()) return number;
    text.remove_prefix(number.size());
  }
}

bool parse_addresses(std::string_view text, DnsList& list) {
  for (std::size_t i = 0; i < list.addresses.size(); ++i) {
    if (i > 0 && !text.starts_with('.')) return false;
    if (i > 0) text.remove_prefix(1);
    const auto octets = take_octets(text);
    if (!octets) return false;
    list.addresses[i] = *octets;
  }
  return text.empty();
}

std::optional<int> parse_weight(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  const auto weight = base::parse_unsigned(text.substr(is_negative ? 1 : 0), spec::max_dns_weight);
  if (!weight || *weight == 0) return std::nullopt;
  return is_negative ? -static_cast<int>(*weight) : static_cast<int>(*weight);
}

// Whether some answer in it is one that a list may give.
bool is_of_lists(const std::array<DnsList::Octets, 4>& addresses) {
  const bool is_loopback = addresses[0].count() == 1 && addresses[0].test(127);
  const auto only_255 = [](const DnsList::Octets& octets) { return octets.count() == 1 && octets.test(255); };
  return is_loopback && !(only_255(addresses[1]) && only_255(addresses[2]));
}

std::expected<DnsList, std::string> parse_entry(std::string_view entry) {
  DnsList list;
  std::string_view rest = entry;
  list.is_for_ipv4 = rest.starts_with(only_ipv4);
  if (list.is_for_ipv4) rest.remove_prefix(only_ipv4.size());
  const std::size_t equals = rest.find('=');
  std::string_view zone = rest.substr(0, rest.find_first_of("=*"));
  if (zone.ends_with('.')) zone.remove_suffix(1);
  const std::size_t at = zone.find('@');
  const bool has_key = at != std::string_view::npos;
  list.name = in_lower_case(has_key ? zone.substr(at + 1) : zone);
  list.zone = has_key ? in_lower_case(zone.substr(0, at)) + "." + list.name : list.name;
  if (!is_zone(list.name) || !is_zone(list.zone)) return wrong(entry, " does not begin with the domain of a DNS list");
  const bool is_keyed = std::string_view(list.zone).ends_with(keyed_zone);
  if (is_keyed && !has_key)
    return wrong(entry, ": write KEY@ before this zone, so that no line of a log shows the key");
  if (equals == std::string_view::npos) return wrong(entry, how_to_write);
  const std::string_view filter = rest.substr(equals + 1);
  const std::size_t star = filter.find('*');
  const std::string_view answers = filter.substr(0, star);
  if (const std::string_view above = number_above_255(answers); !above.empty())
    return wrong(entry, ": " + std::string(above) + " is above 255, the highest number in an address");
  if (!parse_addresses(answers, list)) return wrong(entry, how_to_write);
  if (!is_of_lists(list.addresses))
    return wrong(entry, ": lists answer in 127.0.0.0/8, and in 127.255.255.0/24 only that they do not answer");
  if (star == std::string_view::npos) return list;
  const auto weight = parse_weight(filter.substr(star + 1));
  if (!weight) return wrong(entry, ": a weight is a number from 1 to 1000, or from -1 to -1000");
  list.weight = *weight;
  return list;
}

}  // namespace

bool may_be_listing(const Ipv4Octets& answer) { return answer[0] == 127 && !(answer[1] == 255 && answer[2] == 255); }

bool DnsList::has(const Ipv4Octets& answer) const {
  if (!may_be_listing(answer)) return false;
  for (std::size_t i = 0; i < answer.size(); ++i)
    if (!addresses[i].test(answer[i])) return false;
  return true;
}

std::expected<std::vector<DnsList>, std::string> parse_dns_lists(std::string_view text, ListedBy by) {
  std::vector<DnsList> lists;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
    if (text.empty()) return lists;
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (lists.size() == spec::max_dns_lists) return Problem("there are more than 32 entries: leave some out");
    auto list = parse_entry(text.substr(0, end));
    if (!list) return Problem(std::move(list.error()));
    if (list->is_for_ipv4 && by == ListedBy::domain)
      return wrong(text.substr(0, end), ": ipv4: is for lists of addresses, and this one is asked about domains");
    lists.push_back(std::move(*list));
    text.remove_prefix(end);
  }
}

std::vector<DnsList> lists_of_both(const std::vector<DnsList>& sender, const std::vector<DnsList>& helo) {
  std::vector<DnsList> all = sender;
  for (DnsList each : helo) {
    each.is_of_helo = true;
    all.push_back(std::move(each));
  }
  return all;
}

int highest_score(const std::vector<DnsList>& lists) {
  return std::accumulate(lists.begin(), lists.end(), 0,
                         [](int sum, const DnsList& list) { return sum + std::max(list.weight, 0); });
}

}  // namespace postern::config
