#include "server/silent_services.hpp"

#include <set>

#include "base/blocking_client.hpp"
#include "config/listener_places.hpp"
#include "spec/limits.hpp"

namespace postern::server {

std::string problem_of_policy_service(const base::SocketAddress& service, bool takes_unjudged, base::Deadline end) {
  const unsigned seconds = (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
  if (seconds == 0) return {};
  const auto socket = base::connect_stream(service, seconds);
  if (socket) return {};
  return "POSTERN_POLICY_SERVICE: policy service " + service.text + " does not answer" +
         base::error_in_words(socket.error()) + ": until it does, each recipient of ours " +
         (takes_unjudged ? "is taken unjudged" : "gets 451") + "; start it, or correct its address";
}

std::vector<std::string> silent_services(const Policies& policies) {
  const base::Deadline end = base::after_seconds(spec::max_policy_connect_seconds);
  const std::vector<ClassTable> tables = policies.known_classes();
  std::set<std::string> tried;
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < tables.size(); ++i)
    for (const auto& [value, served] : tables[i])
      for (const base::SocketAddress& service : served->start.policy_services) {
        if (!served->is_served || !tried.insert(service.text).second) continue;
        const std::string problem = problem_of_policy_service(service, served->start.takes_unjudged, end);
        if (problem.empty()) continue;
        const config::ListenerSettings& listener = policies.settings().listeners[i];
        const std::string place =
            value.empty() ? config::place_of(listener, problem) : listener.place + ", a class of " + listener.tcprules;
        sentences.push_back(place + ": " + problem);
      }
  return sentences;
}

}  // namespace postern::server
