#include "base/network.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/number.hpp"
#include "spec/limits.hpp"

namespace postern::base {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};  // RFC 4291 2.5.5.2
constexpr unsigned mapped_bits = 96;
constexpr std::array<std::uint8_t, 12> nat64_prefix = {0, 0x64, 0xFF, 0x9B};  // RFC 6052 2.1

std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> octets, unsigned bits) {
  const unsigned whole = bits / 8;
  if (whole >= octets.size()) return octets;
  octets[whole] = static_cast<std::uint8_t>(octets[whole] & (0xFF00U >> bits % 8));
  std::fill(octets.begin() + whole + 1, octets.end(), std::uint8_t{0});
  return octets;
}

// Without leading zeros.
std::optional<unsigned> parse_bits(std::string_view text) {
  constexpr unsigned most = 128;
  const auto bits = parse_unsigned(text, most);
  if (!bits || (text.starts_with('0') && text.size() > 1)) return std::nullopt;
  return static_cast<unsigned>(*bits);
}

// Every line of the log has one.
void append_ipv4(AddressText& text, std::span<const std::uint8_t> octets) {
  std::array<char, INET_ADDRSTRLEN> room;
  char* at = room.data();
  for (const unsigned octet : octets) {
    if (octet >= 100) *at++ = static_cast<char>('0' + octet / 100);
    if (octet >= 10) *at++ = static_cast<char>('0' + octet / 10 % 10);
    *at++ = static_cast<char>('0' + octet % 10);
    *at++ = '.';
  }
  text.append({room.data(), static_cast<std::size_t>(at - room.data()) - 1});
}

std::unexpected<std::string> problem(std::string_view text, std::string_view what) {
  return std::unexpected(std::string(text).append(": ").append(what));
}

}  // namespace

Address Address::of_ipv4(std::span<const std::uint8_t, 4> octets) {
  Address address;
  std::ranges::copy(octets, std::ranges::copy(mapped_prefix, address.octets_.begin()).out);
  return address;
}

Address Address::of_ipv6(std::span<const std::uint8_t, 16> octets) {
  Address address;
  std::ranges::copy(octets, address.octets_.begin());
  return address;
}

bool Address::is_ipv4() const { return std::memcmp(octets_.data(), mapped_prefix.data(), mapped_prefix.size()) == 0; }

std::span<const std::uint8_t> Address::octets() const& {
  return std::span(octets_).subspan(is_ipv4() ? mapped_prefix.size() : 0);
}

Network::Network(const Address& inside, unsigned bits) : bits_(std::min(bits, inside.bits())) {
  const auto octets = masked(inside.mapped(), inside.is_ipv4() ? mapped_bits + bits_ : bits_);
  first_ = Address::of_ipv6(octets);
}

// The mapping is among the bits that are compared, so the two kinds never meet.
bool Network::contains(const Address& address) const { return Network(address, bits_).first_ == first_; }

std::optional<Address> parse_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> name{};
  if (text.size() >= name.size() || text.contains('\0')) return std::nullopt;
  std::ranges::copy(text, name.begin());
  std::array<std::uint8_t, 16> octets{};
  if (::inet_pton(AF_INET, name.data(), octets.data()) == 1) return Address::of_ipv4(std::span(octets).first<4>());
  if (::inet_pton(AF_INET6, name.data(), octets.data()) == 1) return Address::of_ipv6(octets);
  return std::nullopt;
}

std::expected<Network, std::string> parse_network(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view name = text.substr(0, slash);
  const auto address = parse_address(name);
  if (!address) return problem(text, "neither an IPv4 nor an IPv6 address, nor one with /BITS after it");
  if (slash == text.size()) return Network(*address, address->bits());
  auto bits = parse_bits(text.substr(slash + 1));
  // Of ::ffff:10.0.0.0/104 the mapping takes 96.
  const bool is_mapped = address->is_ipv4() && name.contains(':');
  if (bits && is_mapped) bits = *bits < mapped_bits ? std::nullopt : std::optional(*bits - mapped_bits);
  if (!bits || *bits > address->bits())
    return problem(text, !address->is_ipv4() ? "after the / stands a number from 0 to 128"
                         : is_mapped         ? "after the / of a mapped address stands a number from 96 to 128"
                                             : "after the / stands a number from 0 to 32");
  const Network network(*address, *bits);
  if (network.first() != *address)
    return problem(text, "has bits set after its prefix; write " + std::string(write(network).view()));
  return network;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool is_bracketed = address.starts_with('[') && address.ends_with(']');
  if (is_bracketed) address = address.substr(1, address.size() - 2);
  const auto parsed = parse_address(address);
  const auto number = parse_unsigned(port, 65535);
  if (!parsed || !number || parsed->is_ipv4() == is_bracketed) return std::nullopt;
  return Endpoint{.address = *parsed, .port = static_cast<std::uint16_t>(*number)};
}

std::optional<Endpoint> endpoint_of(const sockaddr_storage& name) {
  std::array<std::uint8_t, 16> octets{};
  if (name.ss_family == AF_INET) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, &name, sizeof ipv4);
    std::memcpy(octets.data(), &ipv4.sin_addr, 4);
    return Endpoint{Address::of_ipv4(std::span(octets).first<4>()), ntohs(ipv4.sin_port)};
  }
  if (name.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 ipv6;
  std::memcpy(&ipv6, &name, sizeof ipv6);
  std::memcpy(octets.data(), &ipv6.sin6_addr, 16);
  return Endpoint{Address::of_ipv6(octets), ntohs(ipv6.sin6_port)};
}

Address without_nat64(const Address& address) {
  if (address.is_ipv4() || !std::ranges::equal(address.octets().first<12>(), nat64_prefix)) return address;
  return Address::of_ipv4(address.octets().last<4>());
}

Address client_of(const Address& address) {
  constexpr unsigned subnet_bits = 64;  // RFC 4291 2.5.4: the other 64 name an interface, and a host may have any
  const Address client = without_nat64(address);
  return client.is_ipv4() ? client : Network(client, subnet_bits).first();
}

Network network_of(const Address& address) {
  const Address client = without_nat64(address);
  return {client, client.is_ipv4() ? spec::ipv4_network_bits : spec::ipv6_network_bits};
}

void AddressText::append(std::string_view text) {
  size_ = static_cast<std::uint8_t>(size_ + text.copy(octets_.data() + size_, octets_.size() - 1 - size_));
}

void AddressText::append_number(unsigned number) {
  std::array<char, 10> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

AddressText write(const Address& address) {
  AddressText text;
  if (address.is_ipv4()) {
    append_ipv4(text, address.octets());
    return text;
  }
  std::array<char, INET6_ADDRSTRLEN> name{};
  ::inet_ntop(AF_INET6, address.octets().data(), name.data(), name.size());
  text.append(name.data());
  return text;
}

AddressText write(const Endpoint& endpoint) {
  AddressText text;
  const bool is_ipv4 = endpoint.address.is_ipv4();
  if (!is_ipv4) text.append("[");
  text.append(write(endpoint.address).view());
  text.append(is_ipv4 ? ":" : "]:");
  text.append_number(endpoint.port);
  return text;
}

AddressText write(const Network& network) {
  AddressText text = write(network.first());
  text.append("/");
  text.append_number(network.bits());
  return text;
}

bool is_special(const Address& address) {
  struct Block {
    std::array<std::uint8_t, 4> begin;
    unsigned bits;
  };
  // 0 and 127: this host; 10, 172.16 and 192.168: RFC 1918; 100.64: RFC 6598; 169.254: a link; 192.0.0: protocols; 198.18:
  // measurement; 224 and above: groups, and what is reserved
  constexpr std::array<Block, 10> ipv4{{{{0, 0, 0, 0}, 8},
                                        {{10, 0, 0, 0}, 8},
                                        {{100, 64, 0, 0}, 10},
                                        {{127, 0, 0, 0}, 8},
                                        {{169, 254, 0, 0}, 16},
                                        {{172, 16, 0, 0}, 12},
                                        {{192, 0, 0, 0}, 24},
                                        {{192, 168, 0, 0}, 16},
                                        {{198, 18, 0, 0}, 15},
                                        {{224, 0, 0, 0}, 3}}};
  const Address client = without_nat64(address);
  const auto octets = client.octets();
  if (client.is_ipv4())
    return std::ranges::any_of(
        ipv4, [&](const Block& block) { return Network(Address::of_ipv4(block.begin), block.bits).contains(client); });
  // ::, ::1 and the like; fc00::/7: RFC 4193; fe80::/10: a link; ff00::/8: groups
  const bool is_of_host = std::ranges::all_of(octets.first<8>(), [](std::uint8_t octet) { return octet == 0; });
  const bool is_local = (octets[0] & 0xFEU) == 0xFCU || (octets[0] == 0xFEU && (octets[1] & 0xC0U) == 0x80U);
  return is_of_host || is_local || octets[0] == 0xFFU;
}

std::vector<Network> loopback_networks() {
  constexpr std::array<std::uint8_t, 4> ipv4{127, 0, 0, 0};
  constexpr std::array<std::uint8_t, 16> ipv6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return {Network(Address::of_ipv4(ipv4), 8), Network(Address::of_ipv6(ipv6), 128)};
}

}  // namespace postern::base
