#include "server/capacity.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <string_view>

namespace postern::server {
namespace {

constexpr std::uint64_t of_the_process = 24;  // standard ones, log, watchdog, files that a reload reads
constexpr std::uint64_t of_metrics = 11;      // http_endpoint.hpp: eight clients, and its own
constexpr std::uint64_t of_a_loop = 4;        // epoll, eventfd, a spare one, a tcprules file
constexpr std::uint64_t of_a_hand_over = 8;   // pipes of a queue program, or a connection and a spool file
constexpr std::uint64_t of_a_check = 6;       // pipes of a check program, or AUTH_CDB
constexpr std::uint64_t of_maildirs = 32;     // folders that are open while groups are committed

bool ends_elsewhere(const config::Configuration& settings) {
  return std::ranges::any_of(settings.listeners, [](const config::ListenerSettings& listener) {
    return !listener.tcprules.empty() || std::ranges::none_of(listener.variables, [](std::string_view variable) {
      return variable.starts_with("POSTERN_MAILDIR=") || variable.starts_with("POSTERN_DISCARD=");
    });
  });
}

std::uint32_t bounded(std::uint64_t number) {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(number, 1, std::numeric_limits<std::uint32_t>::max()));
}

std::uint64_t without(std::uint64_t number, std::uint64_t taken) { return number > taken ? number - taken : 0; }

}  // namespace

Capacity capacity_for(const config::Configuration& settings, std::uint64_t descriptors) {
  const std::uint64_t loops = std::max(settings.loops, 1U);
  const std::uint64_t fixed = of_the_process + of_metrics + loops * (of_a_loop + settings.listeners.size()) +
                              settings.checkers * of_a_check + of_maildirs + refused_connections;
  Capacity capacity{.sessions = 1, .messages = 1, .hand_overs = settings.hand_overs, .is_below_wishes = false};
  std::uint64_t rest = without(descriptors, std::min(fixed, descriptors / 2));
  if (ends_elsewhere(settings)) {
    capacity.hand_overs = std::min(settings.hand_overs, static_cast<unsigned>(bounded(rest / 2 / of_a_hand_over)));
    rest = without(rest, capacity.hand_overs * of_a_hand_over);
  }
  const std::uint64_t wished = settings.clients.sessions;
  const std::uint64_t sessions = wished != 0 && wished <= rest / 2 ? wished : rest * 3 / 4;
  capacity.sessions = bounded(sessions);
  capacity.messages = bounded(without(rest, sessions));
  capacity.is_below_wishes = (wished != 0 && sessions < wished) || capacity.hand_overs < settings.hand_overs;
  return capacity;
}

std::string describe(const Capacity& capacity, std::uint64_t descriptors) {
  return "RLIMIT_NOFILE is " + std::to_string(descriptors) + ": there is room for " +
         std::to_string(capacity.sessions) + " sessions, " + std::to_string(capacity.messages) +
         " messages at once and " + std::to_string(capacity.hand_overs) +
         " hand-overs; raise ulimit -n, or LimitNOFILE=";
}

std::uint64_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

}  // namespace postern::server
