#include "cli/judge_file.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "audit/text.hpp"
#include "base/child.hpp"
#include "cli/ask_client.hpp"
#include "cli/serve_start.hpp"

namespace postern::cli {
namespace {

config::Configuration settings_of(const std::string& file) {
  const auto start = start_of_file(file);
  if (!start)
    throw audit::UsageError(file + ": postern serve would not start with it: " + audit::joined(start.error(), "; "));
  return start->settings;
}

// By which address of this machine the server will know us: nothing is sent.
base::Address own_address(const base::SocketAddress& server) {
  const base::Descriptor socket(::socket(server.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t octets = sizeof own;
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&server.storage), server.octets) != 0 ||
      ::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&own), &octets) != 0)
    throw audit::UsageError(server.text + " cannot be reached: " + std::strerror(errno));
  return base::endpoint_of(own).value_or(base::Endpoint{}).address;
}

std::string listener_at(const config::Configuration& settings, const std::string& file, std::uint16_t port) {
  const auto found = std::ranges::find_if(settings.listeners, [port](const config::ListenerSettings& each) {
    return each.socket_name.empty() && each.at.port == port;
  });
  if (found == settings.listeners.end())
    throw audit::UsageError("no listener of " + file + " has port " + std::to_string(port) +
                            ": say which one serves there with --listener");
  return name_of(*found);
}

bool is_everywhere(const base::Address& address) {
  return std::ranges::all_of(address.octets(), [](std::uint8_t octet) { return octet == 0; });
}

}  // namespace

std::string listener_of_file(const std::string& file, const std::string& listener) {
  const config::Configuration settings = settings_of(file);
  const config::ListenerSettings& found = settings.listeners[find_listener(settings, listener)];
  if (!found.socket_name.empty())
    throw audit::UsageError(found.place + ": systemd knows where " + found.socket_name +
                            " listens: say HOST:PORT and --listener " + found.socket_name);
  if (!is_everywhere(found.at.address)) return std::string(base::write(found.at).view());
  return (found.at.address.is_ipv4() ? "127.0.0.1:" : "[::1]:") + std::to_string(found.at.port);
}

audit::Configuration supposed_by_file(const std::string& file, const std::string& listener,
                                      const base::SocketAddress& server) {
  const base::Address address = own_address(server);
  const std::uint16_t port = base::endpoint_of(server.storage).value_or(base::Endpoint{}).port;
  const std::string name = listener.empty() ? listener_at(settings_of(file), file, port) : listener;
  const MetClient met = meet_client(file, name, address);
  const std::string who = std::string(write(address).view());
  if (std::ranges::any_of(met.settings().proxies, [&](const base::Network& each) { return each.contains(address); }))
    throw audit::UsageError(met.settings().place + ": there " + who +
                            " is a proxy, and has to say PROXY first: judge another listener");
  if (met.first != spec::Event::connect_ready)
    throw audit::UsageError(met.settings().place + ": there a client from " + who + " is turned away (" +
                            std::string(spec::name_of(met.first)) + "), and nothing can be judged");
  return {.settings_and_facts = met.served->service().settings_and_facts, .said = ~std::uint64_t{0}, .port = port};
}

}  // namespace postern::cli
