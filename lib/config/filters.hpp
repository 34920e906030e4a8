// The filters that judge each message, as an operator writes them.
// in      KIND:ADDRESS, separated by blanks, an address as service_address.hpp has it: `rspamd:tcp:127.0.0.1:11333 policy:unix:/run/postfwd`
// out     FilterPlace, in the order in which they are asked
// errors  a sentence that says which one is wrong and what to write; more than spec::max_filters, or one twice
// source  docs/decisions/0022-filters.md
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"

namespace postern::config {

enum class FilterKind : std::uint8_t { rspamd, milter, policy };
[[nodiscard]] std::string_view name_of(FilterKind kind);

struct FilterPlace {
  FilterKind kind;
  base::SocketAddress address;
  std::string text;  // as it is written: "rspamd:tcp:127.0.0.1:11333"
};

[[nodiscard]] std::expected<std::vector<FilterPlace>, std::string> parse_filters(std::string_view text);

}  // namespace postern::config
