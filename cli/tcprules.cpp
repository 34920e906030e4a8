#include "cli/tcprules.hpp"

#include <algorithm>
#include <string_view>

#include "cli/cdb_records.hpp"
#include "config/tcp_rule.hpp"

namespace postern::cli {
namespace {

// Addresses are digits, dots, names after `=`, users before `@`; IPv6 and bit strings in some forks, of which those
// after `^` hold an octet from 96 on for each bit that is set.
bool can_match(std::string_view address) {
  if (address.starts_with('^'))
    return std::ranges::all_of(address.substr(1),
                               [](char c) { return c == '0' || static_cast<unsigned char>(c) >= 96; });
  constexpr std::string_view allowed = "._-=@:^%/";
  return std::ranges::all_of(address, [&](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || allowed.find(c) != std::string_view::npos;
  });
}

void take_item(TcpClass& tcp_class, const config::TcpRuleItem& item) {
  switch (item.kind) {
    case config::TcpRuleItem::Kind::denies: tcp_class.is_denied = true; break;
    case config::TcpRuleItem::Kind::sets: tcp_class.sets.emplace_back(item.name, item.value); break;
    case config::TcpRuleItem::Kind::unknown:
      tcp_class.problem = "its value holds \"" + std::string(item.text) + "\", which is neither D nor +NAME=VALUE";
      break;
  }
}

TcpClass class_of(std::string_view key, std::string_view value) {
  TcpClass tcp_class{.address = std::string(key), .is_denied = false, .sets = {}, .problem = {}};
  if (!can_match(key)) tcp_class.problem = "no client has such an address: did you mean an address?";
  config::TcpRuleItems items(value);
  while (const auto item = items.next()) take_item(tcp_class, *item);
  return tcp_class;
}

}  // namespace

std::vector<TcpClass> read_tcprules(const std::string& path) {
  std::vector<TcpClass> classes;
  for (const auto& [address, value] : read_cdb(path)) classes.push_back(class_of(address, value));
  return classes;
}

}  // namespace postern::cli
