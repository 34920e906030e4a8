#include "server/client/proxy_header.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/number.hpp"

namespace postern::server {
namespace {

using Kind = ProxyHeader::Kind;

constexpr std::string_view line_begin = "PROXY ";
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t block_begin = 16;  // signature, version and command, family and protocol, length

ProxyHeader malformed(ProxyProblem problem) { return {.kind = Kind::malformed, .problem = problem}; }
ProxyHeader no_address(std::size_t consumed) { return {.kind = Kind::no_address, .consumed = consumed}; }

// proxy-protocol.txt 2.1: digits without leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = base::parse_unsigned(text, 65535);
  if (!port || (text.starts_with('0') && text.size() > 1)) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

// Up to the next space, which is consumed.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

// The text of the family of an address, as it is written. A mapped address is written as IPv6, and becomes IPv4.
std::optional<base::Address> parse_address_of(std::string_view family, std::string_view text) {
  const bool is_written_as_ipv6 = text.contains(':');
  return is_written_as_ipv6 == (family == "TCP6") ? base::parse_address(text) : std::nullopt;
}

// `line` without "PROXY " and CRLF: five words, parted by one space each; or UNKNOWN, and what follows does not matter.
ProxyHeader parse_line(std::string_view line, std::size_t consumed) {
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return no_address(consumed);
  if (std::ranges::count(line, ' ') != 4) return malformed(ProxyProblem::bad_line);
  const std::string_view family = next_word(line);
  if (family != "TCP4" && family != "TCP6") return malformed(ProxyProblem::bad_line);
  const auto source = parse_address_of(family, next_word(line));
  const auto destination = parse_address_of(family, next_word(line));
  if (!source || !destination) return malformed(ProxyProblem::bad_address);
  const auto source_port = parse_port(next_word(line)), destination_port = parse_port(line);
  if (!source_port || !destination_port) return malformed(ProxyProblem::bad_port);
  return {.kind = Kind::proxied,
          .consumed = consumed,
          .source = {*source, *source_port},
          .destination = {*destination, *destination_port}};
}

ProxyHeader parse_version_1(std::string_view unread) {
  const std::string_view most = unread.substr(0, max_proxy_line_octets);
  const std::size_t end = most.find_first_of("\r\n");
  if (end == most.npos) return most.size() < max_proxy_line_octets ? ProxyHeader{} : malformed(ProxyProblem::too_long);
  if (most[end] == '\n') return malformed(ProxyProblem::bad_line_end);
  if (end + 1 == max_proxy_line_octets) return malformed(ProxyProblem::too_long);
  if (end + 1 == most.size()) return {};
  if (most[end + 1] != '\n') return malformed(ProxyProblem::bad_line_end);
  return parse_line(most.substr(line_begin.size(), end - line_begin.size()), end + 2);
}

std::uint16_t number_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[at]) << 8U |
                                    static_cast<unsigned char>(octets[at + 1]));
}

template <std::size_t octets>
std::array<std::uint8_t, octets> octets_at(std::string_view block, std::size_t at) {
  std::array<std::uint8_t, octets> copy;
  std::ranges::transform(block.substr(at, octets), copy.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return copy;
}

// Source, destination, and their ports, then what else the proxy says (TLVs): that is skipped.
ProxyHeader parse_ipv4_block(std::string_view block, std::size_t consumed) {
  if (block.size() < 12) return malformed(ProxyProblem::too_short);
  return {.kind = Kind::proxied,
          .consumed = consumed,
          .source = {base::Address::of_ipv4(octets_at<4>(block, 0)), number_at(block, 8)},
          .destination = {base::Address::of_ipv4(octets_at<4>(block, 4)), number_at(block, 10)}};
}

ProxyHeader parse_ipv6_block(std::string_view block, std::size_t consumed) {
  if (block.size() < 36) return malformed(ProxyProblem::too_short);
  return {.kind = Kind::proxied,
          .consumed = consumed,
          .source = {base::Address::of_ipv6(octets_at<16>(block, 0)), number_at(block, 32)},
          .destination = {base::Address::of_ipv6(octets_at<16>(block, 16)), number_at(block, 34)}};
}

// proxy-protocol.txt 2.2: what we do not support is as UNSPEC, what is not defined is refused.
ProxyHeader parse_block(unsigned char family, std::string_view block, std::size_t consumed) {
  switch (family) {
    case 0x11: return parse_ipv4_block(block, consumed);
    case 0x21: return parse_ipv6_block(block, consumed);
    case 0x12:  // datagrams, which SMTP has not
    case 0x22:
    case 0x00: return no_address(consumed);
    case 0x31:  // two paths of Unix sockets
    case 0x32: return block.size() < 216 ? malformed(ProxyProblem::too_short) : no_address(consumed);
    default: return malformed(ProxyProblem::bad_family);
  }
}

ProxyHeader parse_version_2(std::string_view unread) {
  constexpr char local = '\x20', proxy = '\x21';  // version 2 in the high half
  if (unread.size() < block_begin) return {};
  const char command = unread[12];
  if (command != local && command != proxy) return malformed(ProxyProblem::bad_version);
  const std::size_t octets = number_at(unread, 14);
  if (octets > max_proxy_block_octets) return malformed(ProxyProblem::too_long);
  if (unread.size() < block_begin + octets) return {};
  const std::size_t consumed = block_begin + octets;
  if (command == local) return no_address(consumed);  // whatever family it names
  return parse_block(static_cast<unsigned char>(unread[13]), unread.substr(block_begin, octets), consumed);
}

bool agree(std::string_view unread, std::string_view begin) {
  const std::size_t octets = std::min(unread.size(), begin.size());
  return unread.substr(0, octets) == begin.substr(0, octets);
}

}  // namespace

std::string_view describe(ProxyProblem problem) {
  switch (problem) {
    case ProxyProblem::none: return "";
    case ProxyProblem::not_a_header: return "it does not begin like a PROXY header";
    case ProxyProblem::too_long: return "it is too long";
    case ProxyProblem::bad_line_end: return "its line does not end with CRLF";
    case ProxyProblem::bad_line: return "it is not PROXY, TCP4 or TCP6, two addresses and two ports";
    case ProxyProblem::bad_address: return "an address in it is none of its family";
    case ProxyProblem::bad_port: return "a port in it is not a number from 0 to 65535";
    case ProxyProblem::bad_version: return "it is neither LOCAL nor PROXY of version 2";
    case ProxyProblem::bad_family: return "it names an address family that does not exist";
    case ProxyProblem::too_short: return "it is shorter than its addresses";
  }
  return "";
}

ProxyHeader parse_proxy_header(std::string_view unread) {
  if (agree(unread, line_begin)) return unread.size() < line_begin.size() ? ProxyHeader{} : parse_version_1(unread);
  if (agree(unread, signature)) return unread.size() < signature.size() ? ProxyHeader{} : parse_version_2(unread);
  return malformed(ProxyProblem::not_a_header);
}

}  // namespace postern::server
