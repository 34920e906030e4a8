#include "dns/servers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/child.hpp"
#include "base/text_lines.hpp"

namespace postern::dns {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::size_t max_file_octets = std::size_t{64} * 1024;
constexpr std::string_view remedy = "write one such as 127.0.0.1, 127.0.0.1:5353 or [::1]:53";

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

std::string quoted(std::string_view word) {
  constexpr std::size_t most = 60;
  std::string text = "\"";
  for (const char c : word.substr(0, most)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (word.size() > most ? "...\"" : "\"");
}

std::optional<base::Endpoint> endpoint_of_entry(std::string_view word) {
  if (const auto endpoint = base::parse_endpoint(word)) return endpoint;
  const bool is_bracketed = word.starts_with('[') && word.ends_with(']');
  if (is_bracketed) word = word.substr(1, word.size() - 2);
  const auto address = base::parse_address(word);
  if (!address || address->is_ipv4() == is_bracketed) return std::nullopt;
  return base::Endpoint{.address = *address, .port = usual_port};
}

// What `nameserver` names in one line; a comment, and what else is not for us, names nothing.
std::string_view nameserver_of(std::string_view line) {
  std::string_view rest = line;
  if (take_word(rest) != "nameserver") return {};
  return take_word(rest);
}

}  // namespace

std::expected<Servers, std::string> parse_servers(std::string_view list) {
  Servers servers;
  for (std::string_view word = take_word(list); !word.empty(); word = take_word(list)) {
    const auto endpoint = endpoint_of_entry(word);
    if (!endpoint) return std::unexpected(quoted(word) + " is no address of a server: " + std::string(remedy));
    if (endpoint->port == 0) return std::unexpected(quoted(word) + " names port 0, which no server has");
    if (std::ranges::find(servers.endpoints, *endpoint) != servers.endpoints.end())
      return std::unexpected(quoted(word) + " is named twice: write it once");
    if (servers.endpoints.size() == max_servers)
      return std::unexpected(quoted(word) + " is one too many: at most " + std::to_string(max_servers) +
                             " servers are asked");
    servers.endpoints.push_back(*endpoint);
  }
  if (servers.endpoints.empty()) return std::unexpected("no server is named: " + std::string(remedy));
  return servers;
}

std::expected<Servers, std::string> parse_resolv_conf(std::string_view text) {
  Servers servers;
  base::TextLines lines(text);
  while (const auto line = lines.next()) {
    const std::string_view word = nameserver_of(line->text);
    if (word.empty()) continue;
    const auto address = base::parse_address(word);
    const base::Endpoint endpoint{.address = address.value_or(base::Address{}), .port = usual_port};
    const std::string place = "line " + std::to_string(line->number) + ": nameserver " + quoted(word);
    if (!address)
      servers.remarks.push_back(place + " is left out: it is no address that can be asked");
    else if (servers.endpoints.size() == max_system_servers)
      servers.remarks.push_back(place + " is left out: the first three are asked");
    else if (std::ranges::find(servers.endpoints, endpoint) == servers.endpoints.end())
      servers.endpoints.push_back(endpoint);
  }
  if (servers.endpoints.empty()) return std::unexpected(std::string("no line names a server that can be asked"));
  return servers;
}

std::expected<Servers, std::string> system_servers(const char* path) {
  const auto failed = [path](const std::string& why) { return std::unexpected(path + (": " + why)); };
  const base::Descriptor file(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.is_open()) return failed(std::strerror(errno));
  std::string text(max_file_octets + 1, '\0');
  std::size_t octets = 0;
  for (ssize_t got = 1; got > 0 && octets < text.size(); octets += static_cast<std::size_t>(got)) {
    got = ::read(file.number(), text.data() + octets, text.size() - octets);
    if (got < 0) return failed(std::strerror(errno));
  }
  if (octets > max_file_octets) return failed("larger than 64 KiB");
  text.resize(octets);
  auto servers = parse_resolv_conf(text);
  if (!servers) return failed(servers.error());
  for (std::string& remark : servers->remarks) remark.insert(0, std::string(path) + " ");
  return servers;
}

std::vector<std::uint16_t> tcp_ports(const Servers& servers) {
  std::vector<std::uint16_t> ports;
  for (const base::Endpoint& endpoint : servers.endpoints) ports.push_back(endpoint.port);
  std::ranges::sort(ports);
  const auto rest = std::ranges::unique(ports);
  ports.erase(rest.begin(), rest.end());
  return ports;
}

}  // namespace postern::dns
