#include "config/filters.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "config/service_address.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

constexpr std::string_view blanks = " \t";

struct KindRow {
  FilterKind kind;
  std::string_view name;
  unsigned example_port;
};
constexpr std::array kinds{KindRow{FilterKind::rspamd, "rspamd", 11333},   // its normal worker
                           KindRow{FilterKind::milter, "milter", 8891},    // opendkim
                           KindRow{FilterKind::policy, "policy", 10040}};  // of postfwd

std::expected<FilterPlace, std::string> parse_one(std::string_view one) {
  if (one.contains(',')) return std::unexpected("a comma is no part of an address: separate filters by spaces");
  const std::string_view name = one.substr(0, one.find(':'));
  const auto* const row = std::ranges::find(kinds, name, &KindRow::name);
  if (row == kinds.end() || name.size() == one.size())
    return std::unexpected(
        "a filter begins with its kind: write rspamd:tcp:127.0.0.1:11333, milter:unix:/run/opendkim/opendkim.sock or "
        "policy:tcp:127.0.0.1:10040");
  auto address = parse_service_address(one.substr(name.size() + 1), row->example_port);
  if (!address) return std::unexpected(std::move(address.error()));
  return FilterPlace{.kind = row->kind, .address = std::move(*address), .text = std::string(one)};
}

}  // namespace

std::string_view name_of(FilterKind kind) { return std::ranges::find(kinds, kind, &KindRow::kind)->name; }

std::expected<std::vector<FilterPlace>, std::string> parse_filters(std::string_view text) {
  std::vector<FilterPlace> filters;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(blanks, begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    const std::string_view one = text.substr(begin, end - begin);
    auto filter = parse_one(one);
    if (!filter) return std::unexpected(std::string(one) + ": " + filter.error());
    if (std::ranges::find(filters, one, &FilterPlace::text) != filters.end())
      return std::unexpected(std::string(one) + " stands there twice: write it once");
    if (filters.size() == spec::max_filters)
      return std::unexpected("at most " + std::to_string(spec::max_filters) +
                             " filters are asked about a message: write fewer");
    filters.push_back(std::move(*filter));
    begin = end;
  }
  return filters;
}

}  // namespace postern::config
