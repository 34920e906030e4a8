// Which resolvers are asked: those of the system, or a list of the operator's.
// in      the text of resolv.conf, or a list such as `127.0.0.1:5353 [::1]:53`
// out     Servers: endpoints in the order in which they are asked; remarks on lines of resolv.conf that were left out
// strict  an entry of a list is `127.0.0.1`, `127.0.0.1:5353`, `[::1]` or `[::1]:5353`; spaces or tabs between entries.
//         No names, no zones (`fe80::1%eth0`), no port 0, none twice, at most 8
// file    `nameserver` lines alone count, the first three that can be used. Search domains and options are for other programs
// errors  a sentence that names the entry; also when no server is left: no server of ours is guessed
// source  resolv.conf(5)
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/network.hpp"

namespace postern::dns {

inline constexpr std::uint16_t usual_port = 53;
inline constexpr std::size_t max_servers = 8;
inline constexpr std::size_t max_system_servers = 3;
inline constexpr const char* resolv_conf = "/etc/resolv.conf";

struct Servers {
  std::vector<base::Endpoint> endpoints;
  std::vector<std::string> remarks;  // sentences for the log
};

[[nodiscard]] std::expected<Servers, std::string> parse_servers(std::string_view list);
[[nodiscard]] std::expected<Servers, std::string> parse_resolv_conf(std::string_view text);
// Reads the file now: before a sandbox, and before a loop serves anybody.
[[nodiscard]] std::expected<Servers, std::string> system_servers(const char* path = resolv_conf);

// The ports that a sandbox must let connections through to: answers that do not fit into a datagram come by TCP.
[[nodiscard]] std::vector<std::uint16_t> tcp_ports(const Servers& servers);

}  // namespace postern::dns
