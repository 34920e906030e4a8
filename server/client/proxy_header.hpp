// The header by which a proxy names its client: PROXY protocol, versions 1 and 2.
// in      all unread octets of a connection that comes from a proxy which the operator trusts, before anything else
// out     partial; malformed, with a reason; or a whole header: whose connection it is, and how many octets to consume.
//         Octets after the header are not looked at: they are the client's
// lives   values; nothing points into the octets
// errors  malformed: the connection is to be closed without a reply. What one more octet cannot change is reported at once,
//         and for good: with more octets the answer is the same
// cost    a header has at most max_proxy_header_octets: what is still partial then does not exist
// shared  nothing is kept between calls
// source  haproxy.org/download/2.8/doc/proxy-protocol.txt 2.1, 2.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/network.hpp"

namespace postern::server {

inline constexpr std::size_t max_proxy_line_octets = 107;    // version 1, with its CRLF
inline constexpr std::size_t max_proxy_block_octets = 1024;  // version 2, after its first 16 octets: ours
inline constexpr std::size_t max_proxy_header_octets = 16 + max_proxy_block_octets;

enum class ProxyProblem : std::uint8_t {
  none,
  not_a_header,  // neither `PROXY ` nor the signature of version 2
  too_long,      // no CRLF in 107 octets, or a block of more than 1024
  bad_line_end,  // a CR or LF that is not CRLF
  bad_line,      // not the words of version 1, parted by one space each
  bad_address,   // of another family, or none
  bad_port,      // not 0 to 65535 without leading zeros
  bad_version,   // neither LOCAL nor PROXY of version 2
  bad_family,    // unassigned
  too_short,     // a block with less in it than its family's addresses
};
[[nodiscard]] std::string_view describe(ProxyProblem problem);

struct ProxyHeader {
  enum class Kind : std::uint8_t {
    partial,     // more octets are needed
    malformed,   // `problem` says why
    no_address,  // LOCAL, UNKNOWN, or a client without an IP address: count and log the proxy itself
    proxied,     // from source to destination
  };
  Kind kind = Kind::partial;
  ProxyProblem problem = ProxyProblem::none;
  std::size_t consumed = 0;  // of no_address and proxied
  base::Endpoint source, destination;

  friend bool operator==(const ProxyHeader&, const ProxyHeader&) = default;
};

[[nodiscard]] ProxyHeader parse_proxy_header(std::string_view unread);

}  // namespace postern::server
