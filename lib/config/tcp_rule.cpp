#include "config/tcp_rule.hpp"

#include <algorithm>

namespace postern::config {

std::optional<TcpRuleItem> TcpRuleItems::next() {
  if (rest_.empty()) return std::nullopt;
  const std::size_t end = std::min(rest_.find('\0'), rest_.size());
  const bool is_ended = end < rest_.size();
  TcpRuleItem item{.text = rest_.substr(0, end)};
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  const std::size_t equals = item.text.find('=');
  if (item.text.starts_with('D')) item.kind = TcpRuleItem::Kind::denies;
  if (is_ended && item.text.starts_with('+') && equals != item.text.npos && equals > 1) {
    item.kind = TcpRuleItem::Kind::sets;
    item.assignment = item.text.substr(1);
    item.name = item.text.substr(1, equals - 1);
    item.value = item.text.substr(equals + 1);
  }
  return item;
}

bool denies(std::string_view value) {
  TcpRuleItems items(value);
  while (const auto item = items.next())
    if (item->kind == TcpRuleItem::Kind::denies) return true;
  return false;
}

}  // namespace postern::config
