// A client that nobody has seen, as `postern serve -c FILE` would meet it now: by which listener, rule and class it is served.
// in      the file; the listener, as the file has it (ADDRESS:PORT, or the name of a socket), or empty for the first one; an address
// out     MetClient. The process has become the user who serves, where it may: for ever
// lives   as long as the MetClient; environ, as long as the process
// errors  UsageError: the start would be refused, with its sentences; no such listener
// source  docs/operating.md: The user who serves
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/network.hpp"
#include "dns/servers.hpp"
#include "server/client/entrance.hpp"
#include "server/snapshot.hpp"

namespace postern::cli {

struct MetClient {
  base::Address address;
  std::shared_ptr<const server::Snapshot> snapshot;
  std::expected<dns::Servers, std::string> dns_servers;
  std::size_t listener = 0;
  std::string listener_name;           // where it listens
  std::string rule;                    // what its tcprules say, in words; empty: it has none
  spec::Event first{};                 // by which its session opens, DNS lists apart
  std::string text{};                  // of the reply to that event
  bool has_dns_lists = false;          // they are asked about it
  bool has_domain_lists = false;       // the same, about what it names
  std::vector<std::string> remarks{};  // what makes the answers others than those that the server would get
  // As it is served; of a client that is turned away, its listener's own class.
  std::shared_ptr<const server::ServiceProfile> served;

  [[nodiscard]] const config::ListenerSettings& settings() const {
    return snapshot->policies->settings().listeners[listener];
  }
};

// As the file has it: ADDRESS:PORT, or the name of a socket.
[[nodiscard]] std::string name_of(const config::ListenerSettings& listener);
// Empty: the first one.
[[nodiscard]] std::size_t find_listener(const config::Configuration& settings, const std::string& wanted);

[[nodiscard]] MetClient meet_client(const std::string& file, const std::string& listener, const base::Address& address);

}  // namespace postern::cli
