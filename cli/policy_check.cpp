#include "cli/policy_check.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "config/filters.hpp"
#include "config/policy_services.hpp"
#include "server/silent_services.hpp"
#include "spec/limits.hpp"

namespace postern::cli {
namespace {

constexpr const char* service_variable = "POSTERN_POLICY_SERVICE";
constexpr const char* filters_variable = "POSTERN_FILTERS";
constexpr const char* failure_variable = "POSTERN_POLICY_FAILURE";
constexpr const char* source = "Postfix SMTPD_POLICY_README";

class Probe {
 public:
  void advise(const Variables& variables, std::vector<audit::Advice>& advice) {
    advise_on_filters(variables, advice);
    const auto services = config::parse_policy_services(variables.value_of(service_variable));
    if (!services) return;
    const bool takes_unjudged = variables.value_of(failure_variable) == "accept";
    for (const base::SocketAddress& service : *services) {
      if (!tried_.insert(service.text).second) continue;
      std::string problem = server::problem_of_policy_service(service, takes_unjudged, end_);
      if (!problem.empty()) advice.push_back({audit::Grade::warning, "policy_service", std::move(problem), source});
    }
    std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
  }

 private:
  void advise_on_filters(const Variables& variables, std::vector<audit::Advice>& advice) {
    const auto filters = config::parse_filters(variables.value_of(filters_variable));
    if (!filters) return;
    const bool takes_unfiltered = variables.value_of("POSTERN_FILTER_FAILURE") == "accept";
    for (const config::FilterPlace& filter : *filters) {
      if (!tried_.insert(filter.text).second) continue;
      std::string problem = server::problem_of_filter(filter, takes_unfiltered, end_);
      if (!problem.empty())
        advice.push_back({audit::Grade::warning, "filter", std::move(problem), "docs/decisions/0022-filters.md"});
    }
  }

  base::Deadline end_ = base::after_seconds(spec::max_policy_connect_seconds);
  std::set<std::string> tried_;
};

bool has_failure(const Variables& variables) { return !variables.value_of(failure_variable).empty(); }
bool has_service(const Variables& variables) { return !variables.value_of(service_variable).empty(); }

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

void advise_on_policy_services(const Variables& variables, std::vector<audit::Advice>& advice) {
  if (is_failure_of_no_policy_service({variables})) advice.push_back(failure_of_no_policy_service());
  if (is_policy_service_for_nobody({variables})) advice.push_back(policy_service_for_nobody());
  Probe().advise(variables, advice);
}

void advise_on_policy_services(const Variables& base, std::vector<ClassJudgement>& classes) {
  std::vector<Variables> all;
  for (const ClassJudgement& each : classes) all.push_back(with_class(base, each));
  bool is_of_none = is_failure_of_no_policy_service(all);
  bool is_for_nobody = is_policy_service_for_nobody(served_with(base, classes));
  Probe probe;
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
    }
}

bool is_failure_of_no_policy_service(const std::vector<Variables>& all) {
  const auto is_used = [](const Variables& each) { return has_failure(each) && has_service(each); };
  return std::ranges::any_of(all, has_failure) && std::ranges::none_of(all, is_used);
}

bool is_policy_service_for_nobody(const std::vector<Variables>& all) {
  const auto is_asked = [](const Variables& each) {
    return has_service(each) && !each.has("RELAYCLIENT") && each.value_of("REQUIRE_AUTH") != "1";
  };
  return std::ranges::any_of(all, has_service) && std::ranges::none_of(all, is_asked);
}

audit::Advice policy_service_for_nobody() {
  return {audit::Grade::warning, "policy_service",
          std::string(service_variable) +
              " is set, and all clients may relay, by RELAYCLIENT or REQUIRE_AUTH=1: no service "
              "is asked about such a client, so about nobody; unset one of them",
          source};
}

audit::Advice failure_of_no_policy_service() {
  return {audit::Grade::warning, "policy_failure",
          std::string(failure_variable) + " is set, and no policy service is asked: set " + service_variable +
              ", or leave it out",
          source};
}

}  // namespace postern::cli
