#include "config/service_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/number.hpp"

namespace postern::config {
namespace {

using Parsed = std::expected<base::SocketAddress, std::string>;

constexpr std::string_view unix_kind = "unix:";
constexpr std::string_view tcp_kind = "tcp:";

// sockaddr_storage may be read as any other sockaddr: the octets are copied, so no alias rule is broken.
template <typename Address>
base::SocketAddress address_of(const Address& address, std::size_t octets, std::string_view text) {
  base::SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof address);
  result.octets = static_cast<socklen_t>(octets);
  result.text = text;
  return result;
}

Parsed parse_unix(std::string_view path, std::string_view text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!path.starts_with('/')) return std::unexpected("the path of a socket begins with a slash: write unix:/PATH");
  if (path.contains('\0')) return std::unexpected("a path has no NUL: write unix:/PATH");
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected("the path of a socket has at most 107 octets: make it shorter");
  path.copy(static_cast<char*>(address.sun_path), path.size());
  return address_of(address, offsetof(sockaddr_un, sun_path) + path.size() + 1, text);
}

// "tcp:127.0.0.1:24 or tcp:[::1]:24"
std::string examples(unsigned port) {
  const std::string digits = std::to_string(port);
  return "tcp:127.0.0.1:" + digits + " or tcp:[::1]:" + digits;
}

Parsed no_address(std::string_view host, unsigned example) {
  return std::unexpected("\"" + std::string(host) +
                         "\" is not an IP address, and names are not looked up here: write " + examples(example));
}

struct Host {
  std::string_view literal;  // with its brackets
  in_port_t port;            // in network order
};

template <typename Address>
bool reads(int family, const std::string& literal, Address& into) {
  return !literal.contains('\0') && ::inet_pton(family, literal.c_str(), &into) == 1;
}

Parsed with_host(const Host& host, std::string_view text, unsigned example) {
  const std::string_view written = host.literal;
  const bool is_v6 = written.size() >= 2 && written.front() == '[' && written.back() == ']';
  const std::string literal(is_v6 ? written.substr(1, written.size() - 2) : written);
  if (is_v6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = host.port;
    if (!reads(AF_INET6, literal, address.sin6_addr)) return no_address(written, example);
    return address_of(address, sizeof address, text);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = host.port;
  if (!reads(AF_INET, literal, address.sin_addr)) return no_address(written, example);
  return address_of(address, sizeof address, text);
}

Parsed parse_tcp(std::string_view host_and_port, std::string_view text, unsigned example) {
  const std::size_t colon = host_and_port.rfind(':');
  if (colon == std::string_view::npos || host_and_port.ends_with(']'))
    return std::unexpected("the port is missing: write " + examples(example));
  const std::string_view port_text = host_and_port.substr(colon + 1);
  const auto port = base::parse_unsigned(port_text, 65535);
  if (!port || *port == 0)
    return std::unexpected("\"" + std::string(port_text) + "\" is not a port: write a number from 1 to 65535");
  return with_host({host_and_port.substr(0, colon), htons(static_cast<in_port_t>(*port))}, text, example);
}

}  // namespace

Parsed parse_service_address(std::string_view text, unsigned example_port) {
  if (text.starts_with(unix_kind)) return parse_unix(text.substr(unix_kind.size()), text);
  if (text.starts_with(tcp_kind)) return parse_tcp(text.substr(tcp_kind.size()), text, example_port);
  return std::unexpected("an address begins with unix: or tcp:, as in unix:/PATH, " + examples(example_port));
}

std::optional<std::uint16_t> tcp_port(std::string_view address) {
  if (!address.starts_with(tcp_kind)) return std::nullopt;
  const auto port = base::parse_unsigned(address.substr(address.rfind(':') + 1), 65535);
  return port ? std::optional(static_cast<std::uint16_t>(*port)) : std::nullopt;
}

}  // namespace postern::config
