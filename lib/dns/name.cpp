#include "dns/name.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace postern::dns {
namespace {

constexpr std::size_t max_label = 63;

std::uint8_t lowered(std::uint8_t octet) {
  return octet >= 'A' && octet <= 'Z' ? static_cast<std::uint8_t>(octet - 'A' + 'a') : octet;
}

bool is_plain(std::uint8_t octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '-' || octet == '_';
}

}  // namespace

// Room for the root stays.
bool Name::append_label(std::span<const std::uint8_t> label) {
  if (label.empty() || label.size() > max_label || size_ + label.size() + 2 > max_octets) return false;
  octets_[size_++] = static_cast<std::uint8_t>(label.size());
  for (const std::uint8_t octet : label) octets_[size_++] = lowered(octet);
  return true;
}

std::optional<Name> Name::of(std::string_view text) {
  Name name;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    std::array<std::uint8_t, max_label> octets;
    if (label.size() > max_label) return std::nullopt;
    std::ranges::transform(label, octets.begin(), [](char c) { return lowered(static_cast<std::uint8_t>(c)); });
    const std::span<const std::uint8_t> used(octets.data(), label.size());
    if (!std::ranges::all_of(used, is_plain) || !name.append_label(used)) return std::nullopt;
    if (label.size() == text.size()) break;
    text.remove_prefix(label.size() + 1);
  }
  name.end();
  return name;
}

std::optional<Name> Name::read(std::span<const std::uint8_t> message, std::size_t& at) {
  Name name;
  std::size_t from = at, before = at;  // what a pointer leads to must stand before all that was read by now
  bool has_jumped = false;
  while (from < message.size()) {
    const std::size_t length = message[from];
    if (length > max_label) {
      if ((length & 0xc0U) != 0xc0U || from + 1 >= message.size()) return std::nullopt;
      const std::size_t to = (length & 0x3fU) << 8U | message[from + 1];
      if (to >= before) return std::nullopt;
      if (!std::exchange(has_jumped, true)) at = from + 2;
      from = before = to;
      continue;
    }
    if (length == 0) {
      if (!has_jumped) at = from + 1;
      name.end();
      return name;
    }
    if (from + 1 + length > message.size() || !name.append_label(message.subspan(from + 1, length)))
      return std::nullopt;
    from += 1 + length;
  }
  return std::nullopt;
}

std::optional<std::string> Name::text() const {
  std::string text;
  for (std::size_t at = 0; at < size_ && octets_[at] != 0; at += 1U + octets_[at]) {
    const std::span<const std::uint8_t> label(&octets_[at + 1], octets_[at]);
    if (!std::ranges::all_of(label, is_plain)) return std::nullopt;
    if (!text.empty()) text += '.';
    text.append(label.begin(), label.end());
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::strong_ordering operator<=>(const Name& one, const Name& other) {
  if (const auto by_size = one.size_ <=> other.size_; by_size != 0) return by_size;
  return std::memcmp(one.octets_.data(), other.octets_.data(), one.size_) <=> 0;
}

std::string reversed(const base::Address& address) {
  constexpr std::string_view digits = "0123456789abcdef";
  const std::span<const std::uint8_t> octets = address.octets();
  std::string text;
  for (std::size_t i = octets.size(); i-- > 0;) {
    if (!text.empty()) text += '.';
    if (address.is_ipv4())
      text += std::to_string(octets[i]);
    else
      text.append({digits[octets[i] & 0xfU], '.', digits[octets[i] >> 4U]});
  }
  return text;
}

std::string reverse_name(const base::Address& address) {
  return reversed(address) + (address.is_ipv4() ? ".in-addr.arpa" : ".ip6.arpa");
}

}  // namespace postern::dns
