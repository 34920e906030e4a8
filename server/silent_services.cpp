#include "server/silent_services.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "base/blocking_client.hpp"
#include "config/idle_filters.hpp"
#include "config/listener_places.hpp"
#include "config/lmtp_address.hpp"
#include "dns/blocking_resolver.hpp"
#include "filter/milter.hpp"
#include "spec/limits.hpp"

namespace postern::server {
namespace {

// One that needs longer for a name that it knows itself is of no use to a client.
constexpr unsigned resolver_seconds = 2;

// ", ECONNREFUSED"; empty: it takes a connection, or there is no time left.
std::string trouble_of(const base::SocketAddress& service, base::Deadline end) {
  const unsigned seconds = (static_cast<unsigned>(base::milliseconds_until(end)) + 999) / 1000;
  if (seconds == 0) return {};
  const auto socket = base::connect_stream(service, seconds);
  return socket ? std::string() : base::error_in_words(socket.error());
}

// A milter says what it speaks before it is shown anything.
std::string trouble_of(const config::FilterPlace& filter, base::Deadline end) {
  if (filter.kind != config::FilterKind::milter) return trouble_of(filter.address, end);
  if (base::milliseconds_until(end) == 0) return {};
  const auto spoken = filter::probe_milter(filter.address, end);
  return spoken ? std::string() : ", " + spoken.error();
}

// By its absence.
std::string_view whom_it_judges(config::PolicyStage stage) {
  if (stage == config::PolicyStage::data) return "each message ";
  return stage == config::PolicyStage::mail ? "each recipient " : "each recipient of ours ";
}

std::string sentence_of(const std::string& service, const std::string& trouble, const std::string& meanwhile) {
  return service + " does not answer" + trouble + ": until it does, " + meanwhile +
         "; start it, or correct its address";
}

// What one resolver says of a name that each knows without asking others. All are asked at once.
class ResolverProbe {
 public:
  explicit ResolverProbe(const base::Endpoint& at)
      : resolver_(dns::BlockingResolver::make(
            {.servers = {.endpoints = {at}, .remarks = {}}, .patience = std::chrono::seconds(resolver_seconds)})) {
    if (resolver_) resolver_->ask({.type = dns::Type::a, .name = "localhost"}, reply_);
  }

  // Empty: it answers, be it that it will not, or it could not be asked.
  [[nodiscard]] std::string trouble(base::Deadline end) {
    if (!resolver_) return {};
    resolver_->wait(end);
    using Failure = dns::Answer::Failure;
    const Failure failure = reply_.answer.failure;
    const bool is_silent = failure == Failure::timed_out || failure == Failure::no_server;
    return reply_.answer.kind == dns::Answer::Kind::failed && is_silent ? ", " + std::string(describe(failure)) : "";
  }

 private:
  std::expected<dns::BlockingResolver, std::string> resolver_;
  dns::Reply reply_;  // gone before its resolver
};

void add_resolvers(const Policies& policies, const std::expected<dns::Servers, std::string>& servers,
                   std::vector<std::string>& sentences) {
  const config::Configuration& settings = policies.settings();
  if (!servers || (!settings.looks_up_names && !policies.has_dns_lists())) return;
  const std::string_view without = !settings.looks_up_names   ? "no DNS list counts"
                                   : policies.has_dns_lists() ? "no DNS list counts, and no client has a name"
                                                              : "no client has a name";
  for (SilentService& each : silent_resolvers(*servers, settings.dns.empty() ? dns::resolv_conf : "dns", without))
    sentences.push_back(std::move(each.sentence));
}

}  // namespace

ServiceProbe::ServiceProbe() : end_(base::after_seconds(spec::max_policy_connect_seconds)) {}

std::vector<SilentService> ServiceProbe::try_services(const config::Start& start) {
  try_policy_services(start);
  try_filters(start);
  try_userdb(start);
  try_mail_cluster(start);
  return std::exchange(found_, {});
}

void ServiceProbe::try_policy_services(const config::Start& start) {
  for (const config::PolicyService& service : start.policy_services) {
    const std::string trouble =
        is_new("POSTERN_POLICY_SERVICE", service.text) ? trouble_of(service.address, end_) : std::string();
    if (!trouble.empty())
      found_.push_back({"policy_service",
                        sentence_of("POSTERN_POLICY_SERVICE: policy service " + service.text, trouble,
                                    std::string(whom_it_judges(service.stage)) +
                                        (start.takes_unjudged ? "is taken unjudged" : "gets 451")),
                        "Postfix SMTPD_POLICY_README"});
  }
}

void ServiceProbe::try_filters(const config::Start& start) {
  for (const config::FilterPlace& filter : start.filters) {
    const std::string trouble = is_new("POSTERN_FILTERS", filter.text) ? trouble_of(filter, end_) : std::string();
    if (!trouble.empty())
      found_.push_back(
          {"filter",
           sentence_of("POSTERN_FILTERS: filter " + filter.text, trouble,
                       std::string("each message ") + (start.takes_unfiltered ? "is taken unjudged" : "gets 451")),
           "docs/decisions/0022-filters.md"});
  }
}

void ServiceProbe::try_userdb(const config::Start& start) {
  if (!start.userdb || !is_new("POSTERN_USERDB", start.userdb->text)) return;
  const std::string trouble = trouble_of(*start.userdb, end_);
  if (!trouble.empty())
    found_.push_back({"userdb",
                      sentence_of("POSTERN_USERDB: userdb " + start.userdb->text, trouble,
                                  "each recipient of ours that is not remembered gets 451"),
                      "docs/decisions/0024-ask-dovecot.md"});
}

void ServiceProbe::try_mail_cluster(const config::Start& start) {
  if (start.hand_over != config::HandOverKind::lmtp || !is_new("POSTERN_LMTP", start.hand_over_path)) return;
  const auto address = config::parse_lmtp_address(start.hand_over_path);
  const std::string trouble = address ? trouble_of(*address, end_) : std::string();
  if (!trouble.empty())
    found_.push_back({"mail_cluster",
                      sentence_of("POSTERN_LMTP: mail cluster " + start.hand_over_path, trouble,
                                  start.asks_mail_cluster
                                      ? "each message, and each recipient of ours that is not remembered, gets 451"
                                      : "each message gets 451"),
                      "docs/decisions/0021-ask-the-mail-cluster.md"});
}

bool ServiceProbe::is_new(std::string_view variable, const std::string& address) {
  return tried_.insert(std::string(variable) + " " + address).second;
}

std::vector<SilentService> silent_resolvers(const dns::Servers& servers, std::string_view named_by,
                                            std::string_view without) {
  std::deque<ResolverProbe> probes;
  for (const base::Endpoint& each : servers.endpoints) probes.emplace_back(each);
  const base::Deadline end = base::after_seconds(resolver_seconds + 1);
  std::vector<std::pair<std::string, std::string>> silent;  // a resolver and its trouble
  for (std::size_t i = 0; i < probes.size(); ++i)
    if (std::string trouble = probes[i].trouble(end); !trouble.empty())
      silent.emplace_back(base::write(servers.endpoints[i]).view(), std::move(trouble));
  const std::string meanwhile(silent.size() < probes.size() ? "the others are asked in its place" : without);
  std::vector<SilentService> found;
  for (const auto& [resolver, trouble] : silent)
    found.push_back({"resolver", sentence_of(std::string(named_by) + ": resolver " + resolver, trouble, meanwhile),
                     "docs/decisions/0017-names-by-c-ares.md"});
  return found;
}

std::vector<std::string> idle_filter_settings(const Policies& policies) {
  config::IdleFilterSettings idle;
  for (const ClassTable& table : policies.known_classes())
    for (const auto& [value, served] : table)
      idle.add(base::Environment(served->pointers.data()), served->start.filters);
  return idle.sentences();
}

std::vector<std::string> silent_services(const Policies& policies,
                                         const std::expected<dns::Servers, std::string>& servers) {
  std::vector<std::string> sentences;
  ServiceProbe probe;
  const std::vector<ClassTable> tables = policies.known_classes();
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const config::ListenerSettings& listener = policies.settings().listeners[i];
    for (const auto& [value, served] : tables[i]) {
      if (!served->is_served) continue;
      for (const SilentService& each : probe.try_services(served->start))
        sentences.push_back((value.empty() ? config::place_of(listener, each.sentence)
                                           : listener.place + ", a class of " + listener.tcprules) +
                            ": " + each.sentence);
    }
  }
  add_resolvers(policies, servers, sentences);
  return sentences;
}

}  // namespace postern::server
