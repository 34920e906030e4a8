// A domain name as questions and answers carry it: octets of the wire, letters in lower case; and the names of addresses.
// in      text without a dot at its end; an address; a message with a name in it
// out     Name: labels with their lengths, to the root. Equal names are equal octets
// strict  of(): labels of 1 to 63 letters, digits, `-` and `_`, at most 253 octets as text; nothing is escaped
// errors  none instead of a Name
// source  RFC 1035 2.3.4, 3.1, 4.1.4; RFC 3596 2.5; RFC 5782 2.1, 2.4
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/network.hpp"

namespace postern::dns {

class Name {
 public:
  [[nodiscard]] static std::optional<Name> of(std::string_view text);
  // The name that begins at `at` of a message; `at` stands after it then. Pointers go back only, so none goes round.
  [[nodiscard]] static std::optional<Name> read(std::span<const std::uint8_t> message, std::size_t& at);

  [[nodiscard]] std::span<const std::uint8_t> octets() const { return {octets_.data(), size_}; }
  // None: it has octets that no name of a host has, which of() would not take.
  [[nodiscard]] std::optional<std::string> text() const;

  friend bool operator==(const Name& one, const Name& other) { return (one <=> other) == 0; }
  friend std::strong_ordering operator<=>(const Name& one, const Name& other);

 private:
  [[nodiscard]] bool append_label(std::span<const std::uint8_t> label);
  void end() { octets_[size_++] = 0; }

  static constexpr std::size_t max_octets = 255;
  std::array<std::uint8_t, max_octets> octets_{};
  std::uint8_t size_ = 0;
};

// `2.0.0.127` of 127.0.0.2; 32 nibbles, the last one first, of an IPv6 address. What lists of addresses are asked for, before
// their zone.
[[nodiscard]] std::string reversed(const base::Address& address);
// `2.0.0.127.in-addr.arpa`, `...ip6.arpa`: whose PTR records name the host.
[[nodiscard]] std::string reverse_name(const base::Address& address);

}  // namespace postern::dns
