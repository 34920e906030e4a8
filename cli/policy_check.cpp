#include "cli/policy_check.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "ask/client_listing.hpp"
#include "config/idle_filters.hpp"
#include "config/policy_services.hpp"
#include "config/start.hpp"
#include "server/silent_services.hpp"

namespace postern::cli {
namespace {

constexpr const char* service_variable = "POSTERN_POLICY_SERVICE";
constexpr const char* failure_variable = "POSTERN_POLICY_FAILURE";
constexpr const char* source = "Postfix SMTPD_POLICY_README";

class Probe {
 public:
  void advise(const Variables& variables, std::vector<audit::Advice>& advice) {
    const std::vector<const char*> pointers = variables.environment();
    const base::Environment environment(pointers.data());
    const config::Start start = config::judge_start({}, environment, variables.origin, config::Lists::elsewhere);
    idle_.add(environment, start.filters);
    add(services_.try_services(start), advice);
    if (config::has_dns_lists(start) && resolvers_.insert(start.dns_servers).second)
      if (const auto servers = ask::dns_servers(start.dns_servers))
        add(server::silent_resolvers(*servers, start.dns_servers.empty() ? dns::resolv_conf : "POSTERN_DNS",
                                     "no DNS list counts"),
            advice);
    std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
  }

  // After all that is served.
  void advise_on_idle_settings(std::vector<audit::Advice>& advice) const {
    for (std::string& sentence : idle_.sentences())
      advice.push_back({audit::Grade::warning, "idle_filter_setting", std::move(sentence), "docs/operating.md"});
    std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
  }

 private:
  static void add(std::vector<server::SilentService> silent, std::vector<audit::Advice>& advice) {
    for (server::SilentService& each : silent)
      advice.push_back(
          {audit::Grade::warning, std::string(each.kind), std::move(each.sentence), std::string(each.source)});
  }

  server::ServiceProbe services_;
  config::IdleFilterSettings idle_;
  std::set<std::string> resolvers_;  // as they are written
};

bool has_failure(const Variables& variables) { return !variables.value_of(failure_variable).empty(); }
bool has_service(const Variables& variables) { return !variables.value_of(service_variable).empty(); }

// Those of MAIL and of DATA are.
bool asks_about_all(const Variables& variables) {
  const auto services = config::parse_policy_services(variables.value_of(service_variable));
  return services && std::ranges::any_of(*services, [](const config::PolicyService& each) {
           return each.stage == config::PolicyStage::mail || each.stage == config::PolicyStage::data;
         });
}

}  // namespace

Variables with_class(const Variables& base, const ClassJudgement& one) {
  Variables variables = base;
  for (const auto& [name, value] : one.tcp_class.sets) variables.set(name, value);
  return variables;
}

std::vector<Variables> served_with(const Variables& base, const std::vector<ClassJudgement>& classes) {
  if (classes.empty()) return {base};
  std::vector<Variables> all;
  for (const ClassJudgement& each : classes)
    if (!each.judgement.empty()) all.push_back(with_class(base, each));
  return all;
}

void advise_on_services(const Variables& variables, std::vector<audit::Advice>& advice) {
  if (is_failure_of_no_policy_service({variables})) advice.push_back(failure_of_no_policy_service());
  if (is_policy_service_for_nobody({variables})) advice.push_back(policy_service_for_nobody());
  Probe probe;
  probe.advise(variables, advice);
  probe.advise_on_idle_settings(advice);
}

void advise_on_services(const Variables& base, std::vector<ClassJudgement>& classes) {
  std::vector<Variables> all;
  for (const ClassJudgement& each : classes) all.push_back(with_class(base, each));
  bool is_of_none = is_failure_of_no_policy_service(all);
  bool is_for_nobody = is_policy_service_for_nobody(served_with(base, classes));
  Probe probe;
  Judgement* last = nullptr;
  for (std::size_t i = 0; i < classes.size(); ++i)
    for (Judgement& judgement : classes[i].judgement) {
      if (is_of_none && has_failure(all[i])) {
        judgement.advice.push_back(failure_of_no_policy_service());
        is_of_none = false;
      }
      if (is_for_nobody && has_service(all[i])) {
        judgement.advice.push_back(policy_service_for_nobody());
        is_for_nobody = false;
      }
      probe.advise(all[i], judgement.advice);
      last = &judgement;
    }
  if (last != nullptr) probe.advise_on_idle_settings(last->advice);
}

bool is_failure_of_no_policy_service(const std::vector<Variables>& all) {
  const auto is_used = [](const Variables& each) { return has_failure(each) && has_service(each); };
  return std::ranges::any_of(all, has_failure) && std::ranges::none_of(all, is_used);
}

bool is_policy_service_for_nobody(const std::vector<Variables>& all) {
  const auto is_asked = [](const Variables& each) {
    const bool may_all_relay = each.has("RELAYCLIENT") || each.value_of("REQUIRE_AUTH") == "1";
    return has_service(each) && (!may_all_relay || asks_about_all(each));
  };
  return std::ranges::any_of(all, has_service) && std::ranges::none_of(all, is_asked);
}

audit::Advice policy_service_for_nobody() {
  return {audit::Grade::warning, "policy_service",
          std::string(service_variable) +
              " is set, and all clients may relay, by RELAYCLIENT or REQUIRE_AUTH=1: no service "
              "is asked about such a client, so about nobody; unset one of them, or ask it about MAIL or DATA (mail:, "
              "data:)",
          source};
}

audit::Advice failure_of_no_policy_service() {
  return {audit::Grade::warning, "policy_failure",
          std::string(failure_variable) + " is set, and no policy service is asked: set " + service_variable +
              ", or leave it out",
          source};
}

}  // namespace postern::cli
