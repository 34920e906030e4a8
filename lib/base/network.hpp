// IP addresses, the ends of a connection, and networks: plain values.
// in      text as operators and proxies write it, or what accept(2) gives
// out     Address, Endpoint, Network. An IPv4-mapped IPv6 address is the IPv4 address, wherever it comes from
// errors  none instead of an Address; a sentence instead of a Network, because it comes from an operator
// shared  by all threads, like any value
// source  RFC 1918 3; RFC 4193 3; RFC 4291 2.2, 2.3, 2.5.5.2; RFC 4632 3.1; RFC 5952 4; RFC 6052 2.1; RFC 6890 2.2
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::base {

class Address {
 public:
  constexpr Address() = default;  // ::
  [[nodiscard]] static Address of_ipv4(std::span<const std::uint8_t, 4> octets);
  [[nodiscard]] static Address of_ipv6(std::span<const std::uint8_t, 16> octets);

  [[nodiscard]] bool is_ipv4() const;
  [[nodiscard]] unsigned bits() const { return is_ipv4() ? 32 : 128; }
  // In network order: four, or sixteen; they die with the Address.
  [[nodiscard]] std::span<const std::uint8_t> octets() const&;
  [[nodiscard]] std::span<const std::uint8_t> octets() const&& = delete;
  // IPv4 in its mapped form: one key for every table.
  [[nodiscard]] std::array<std::uint8_t, 16> mapped() const { return octets_; }

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// All addresses of one kind that begin with the same bits. `0.0.0.0/0` holds no IPv6 address, `::/0` no IPv4 address.
class Network {
 public:
  // The network of that size around an address; `bits` beyond its length are its length.
  Network(const Address& inside, unsigned bits);

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] const Address& first() const { return first_; }
  [[nodiscard]] unsigned bits() const { return bits_; }

  friend bool operator==(const Network&, const Network&) = default;

 private:
  Address first_;
  unsigned bits_;
};

// Strict: four decimal numbers without leading zeros, or RFC 4291 2.2; no port, zone or brackets.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

// `10.0.0.0/8`, `2001:db8::/32`, or one address. The error is a sentence: `10.0.0.1/8: write 10.0.0.0/8`
[[nodiscard]] std::expected<Network, std::string> parse_network(std::string_view text);

// `127.0.0.1:25` or `[::1]:25`.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

// 127.0.0.0/8 and ::1: programs of this machine.
[[nodiscard]] std::vector<Network> loopback_networks();

// No host of the Internet has it: private, of this machine or link, and others that RFC 6890 lists as not global, but for those of
// documentation, which are as good as any in examples.
[[nodiscard]] bool is_special(const Address& address);

// Neither IPv4 nor IPv6 has none.
[[nodiscard]] std::optional<Endpoint> endpoint_of(const sockaddr_storage& name);

// Of a NAT64 address (64:ff9b::/96) the IPv4 address in it, whose client it is; any other is itself (RFC 6052 2.1).
[[nodiscard]] Address without_nat64(const Address& address);
// What counts as one client: an IPv4 address, also behind NAT64, but all of an IPv6 /64, from which one host may choose.
[[nodiscard]] Address client_of(const Address& address);
// What may belong to one operator: spec::ipv4_network_bits, spec::ipv6_network_bits.
[[nodiscard]] Network network_of(const Address& address);

// Text in a room of its own: `192.0.2.1`, `2001:db8::1`, `10.0.0.0/8`, `[2001:db8::1]:25`.
class AddressText {
 public:
  // Good until the end of the expression when the text is a temporary.
  [[nodiscard]] std::string_view view() const { return {octets_.data(), size_}; }
  [[nodiscard]] const char* c_str() const { return octets_.data(); }
  void append(std::string_view text);
  void append_number(unsigned number);

 private:
  std::array<char, 64> octets_{};
  std::uint8_t size_ = 0;
};
[[nodiscard]] AddressText write(const Address& address);
[[nodiscard]] AddressText write(const Endpoint& endpoint);
[[nodiscard]] AddressText write(const Network& network);

}  // namespace postern::base
