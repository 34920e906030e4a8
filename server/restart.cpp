#include "server/restart.hpp"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "config/configuration_keys.hpp"
#include "observe/http_endpoint.hpp"
#include "server/profile_files.hpp"
#include "server/sandbox/privileges.hpp"

namespace postern::server {
namespace {

bool is_root_of_paths(spec::Option option) { return option == spec::Option::home || option == spec::Option::chroot; }

bool has_same_sockets(const config::Configuration& a, const config::Configuration& b) {
  return std::ranges::equal(a.listeners, b.listeners,
                            [](const config::ListenerSettings& x, const config::ListenerSettings& y) {
                              return x.at == y.at && x.socket_name == y.socket_name;
                            });
}

// A folder of the rule holds what is in it; `.` holds what is relative and does not climb.
bool is_within(std::string_view path, std::string_view folder) {
  if (path == folder || folder == "/") return true;
  if (folder == ".") return !path.starts_with('/') && !path.contains("..");
  return path.starts_with(folder) && path.substr(folder.size()).starts_with('/') && !path.contains("..");
}

std::string first_path_beyond(const std::vector<std::string>& entered, const std::vector<std::string>& wanted) {
  for (const std::string& path : wanted)
    if (std::ranges::none_of(entered, [&](const std::string& folder) { return is_within(path, folder); })) return path;
  return {};
}

}  // namespace

WantsRestart wants_restart(const config::Configuration& serving, const config::Configuration& next) {
  WantsRestart names;
  config::visit_keys([&](spec::Option option, const auto& member) {
    const spec::OptionRow& row = spec::row_of(option);
    if (row.wants_restart && member(serving) != member(next))
      (is_root_of_paths(option) ? names.refused : names.kept).emplace_back(name_of(row));
  });
  if (!has_same_sockets(serving, next)) names.refused.emplace_back("ip, port or socket of a [[listener]]");
  return names;
}

void keep_what_serves(const config::Configuration& serving, config::Configuration& next) {
  config::visit_keys([&](spec::Option option, const auto& member) {
    if (spec::row_of(option).wants_restart) member(next) = member(serving);
  });
}

std::string problem_of_next_start(const config::Configuration& serving, const config::Configuration& next,
                                  bool is_confined) {
  if (next.greylist_file != serving.greylist_file && !next.greylist_file.empty())
    if (auto obstacle = obstacle_without_sandbox(folder_of_greylist(next.greylist_file))) return std::move(*obstacle);
  if (is_confined) return {};
  if (next.user != serving.user && !next.user.empty() && next.chroot.empty())
    if (const auto found = look_up(next.user); !found) return found.error();
  if (next.metrics == serving.metrics || !next.metrics) return {};
  const base::Endpoint& at = *next.metrics;
  const bool is_ours = serving.metrics && serving.metrics->port == at.port;  // and free at the next start
  if (is_ours || (at.port < IPPORT_RESERVED && ::geteuid() != 0)) return {};
  const auto listening = observe::listen_for_http(std::string(base::write(at.address).view()), at.port);
  return listening ? std::string() : listening.error();
}

std::string beyond_reach(const SandboxPaths& entered, const SandboxPaths& wanted) {
  std::vector<std::string> readable = entered.readable;
  readable.insert(readable.end(), entered.writable.begin(), entered.writable.end());
  if (std::string path = first_path_beyond(readable, wanted.readable); !path.empty()) return path;
  if (std::string path = first_path_beyond(entered.writable, wanted.writable); !path.empty()) return path;
  for (const std::uint16_t port : wanted.tcp_connect)
    if (std::ranges::find(entered.tcp_connect, port) == entered.tcp_connect.end())
      return "port " + std::to_string(port);
  return {};
}

}  // namespace postern::server
