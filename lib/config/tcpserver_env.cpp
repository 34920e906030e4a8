#include "config/tcpserver_env.hpp"

#include <initializer_list>

namespace postern::config {
namespace {

// The first that is set and not empty: plain tcpserver, its IPv6 forks, sslserver without -e.
std::string_view first_of(const base::Environment& environment, std::initializer_list<const char*> names,
                          std::string_view otherwise) {
  for (const char* name : names) {
    if (const std::string_view value = environment.value_of(name); !value.empty()) return value;
  }
  return otherwise;
}

}  // namespace

Peer read_peer(const base::Environment& environment) {
  const std::string_view local_host = first_of(environment, {"TCPLOCALHOST", "TCP6LOCALHOST", "SSLLOCALHOST"}, {});
  return {.remote_ip = first_of(environment, {"TCPREMOTEIP", "TCP6REMOTEIP", "SSLREMOTEIP"}, "unknown"),
          .remote_host = first_of(environment, {"TCPREMOTEHOST", "TCP6REMOTEHOST", "SSLREMOTEHOST"}, "unknown"),
          .remote_info = first_of(environment, {"TCPREMOTEINFO", "SSLREMOTEINFO"}, {}),
          .local_ip = first_of(environment, {"TCPLOCALIP", "TCP6LOCALIP", "SSLLOCALIP"}, {}),
          .local_host = local_host == "0" ? std::string_view() : local_host,
          .remote_port = first_of(environment, {"TCPREMOTEPORT", "TCP6REMOTEPORT", "SSLREMOTEPORT"}, {}),
          .local_port = first_of(environment, {"TCPLOCALPORT", "TCP6LOCALPORT", "SSLLOCALPORT"}, {})};
}

void write_peer(base::Environment& environment, const PeerNumbers& peer) {
  environment.set("PROTO", peer.remote_ip.contains(':') ? "TCP6" : "TCP");
  environment.set("TCPREMOTEIP", peer.remote_ip);
  environment.set("TCPREMOTEPORT", peer.remote_port);
  environment.set("TCPLOCALIP", peer.local_ip);
  environment.set("TCPLOCALPORT", peer.local_port);
}

}  // namespace postern::config
