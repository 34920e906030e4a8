#include "daemon/tcpserver_env.hpp"

#include <cstdlib>
#include <initializer_list>

namespace postern::daemon {
namespace {

// The first that is set and not empty: plain tcpserver, its IPv6 forks, sslserver without -e.
std::string_view first_of(std::initializer_list<const char*> names, std::string_view otherwise) {
  for (const char* name : names) {
    if (const std::string_view value = variable(name); !value.empty()) return value;
  }
  return otherwise;
}

}  // namespace

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

Peer read_peer() {
  const std::string_view local_host = first_of({"TCPLOCALHOST", "TCP6LOCALHOST", "SSLLOCALHOST"}, {});
  return {.remote_ip = first_of({"TCPREMOTEIP", "TCP6REMOTEIP", "SSLREMOTEIP"}, "unknown"),
          .remote_host = first_of({"TCPREMOTEHOST", "TCP6REMOTEHOST", "SSLREMOTEHOST"}, "unknown"),
          .remote_info = first_of({"TCPREMOTEINFO", "SSLREMOTEINFO"}, {}),
          .local_ip = first_of({"TCPLOCALIP", "TCP6LOCALIP", "SSLLOCALIP"}, {}),
          .local_host = local_host == "0" ? std::string_view() : local_host};
}

}  // namespace postern::daemon
