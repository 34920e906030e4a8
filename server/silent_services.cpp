#include "server/silent_services.hpp"

#include <optional>
#include <set>

#include "base/blocking_client.hpp"
#include "config/listener_places.hpp"
#include "filter/milter.hpp"
#include "spec/limits.hpp"

namespace postern::server {
namespace {

// Why it takes no connection: errno. None: it does, or there is no time left.
std::optional<int> silence_of(const base::SocketAddress& service, base::Deadline end) {
  const unsigned seconds = (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
  if (seconds == 0) return std::nullopt;
  const auto socket = base::connect_stream(service, seconds);
  return socket ? std::nullopt : std::optional(socket.error());
}

// ", ECONNREFUSED"; empty: it answers, or there is no time left. A milter says what it speaks before it is shown anything.
std::string trouble_of_filter(const config::FilterPlace& filter, base::Deadline end) {
  if (filter.kind == config::FilterKind::milter) {
    if (base::milliseconds_until(end) == 0) return {};
    const auto spoken = filter::probe_milter(filter.address, end);
    return spoken ? std::string() : ", " + spoken.error();
  }
  const auto error = silence_of(filter.address, end);
  return error ? base::error_in_words(*error) : std::string();
}

class Probe {
 public:
  explicit Probe(const Policies& policies) : policies_(policies) {}

  void try_all(std::size_t listener, std::string_view value, const config::Start& start) {
    for (const base::SocketAddress& service : start.policy_services)
      if (tried_.insert(service.text).second)
        tell(listener, value, problem_of_policy_service(service, start.takes_unjudged, end_));
    for (const config::FilterPlace& filter : start.filters)
      if (tried_.insert(filter.text).second)
        tell(listener, value, problem_of_filter(filter, start.takes_unfiltered, end_));
  }
  [[nodiscard]] std::vector<std::string> sentences() && { return std::move(sentences_); }

 private:
  void tell(std::size_t number, std::string_view value, const std::string& problem) {
    if (problem.empty()) return;
    const config::ListenerSettings& listener = policies_.settings().listeners[number];
    const std::string place =
        value.empty() ? config::place_of(listener, problem) : listener.place + ", a class of " + listener.tcprules;
    sentences_.push_back(place + ": " + problem);
  }

  const Policies& policies_;
  base::Deadline end_ = base::after_seconds(spec::max_policy_connect_seconds);
  std::set<std::string> tried_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::string problem_of_policy_service(const base::SocketAddress& service, bool takes_unjudged, base::Deadline end) {
  const auto error = silence_of(service, end);
  if (!error) return {};
  return "POSTERN_POLICY_SERVICE: policy service " + service.text + " does not answer" + base::error_in_words(*error) +
         ": until it does, each recipient of ours " + (takes_unjudged ? "is taken unjudged" : "gets 451") +
         "; start it, or correct its address";
}

std::string problem_of_filter(const config::FilterPlace& filter, bool takes_unfiltered, base::Deadline end) {
  const std::string problem = trouble_of_filter(filter, end);
  if (problem.empty()) return {};
  return "POSTERN_FILTERS: filter " + filter.text + " does not answer" + problem + ": until it does, each message " +
         (takes_unfiltered ? "is taken unjudged" : "gets 451") + "; start it, or correct its address";
}

std::vector<std::string> silent_services(const Policies& policies) {
  Probe probe(policies);
  const std::vector<ClassTable> tables = policies.known_classes();
  for (std::size_t i = 0; i < tables.size(); ++i)
    for (const auto& [value, served] : tables[i])
      if (served->is_served) probe.try_all(i, value, served->start);
  return std::move(probe).sentences();
}

}  // namespace postern::server
