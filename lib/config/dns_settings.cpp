#include "config/dns_settings.hpp"

#include <cstdint>
#include <utility>

#include "dns/servers.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

using spec::Option;

void warn_of_lists(Start& start, const base::Environment& environment, const VariableValues& values) {
  if (!has_dns_lists(start) && !environment.value_of("DNSBL_THRESHOLD").empty())
    start.warnings.emplace_back(
        "DNSBL_THRESHOLD has no effect without DNSBL, DNSBL_SENDER or DNSBL_HELO: name a list in one of them, or unset "
        "it");
  if (start.dnsbl_at_connect && start.dns_lists.empty())
    start.warnings.emplace_back(
        "DNSBL_AT_CONNECT=1 has no effect without DNSBL, because lists of domains are asked later: name a list in it, "
        "or unset it");
  if (!start.dns_lists.empty() && start.dnsbl_at_connect && values.flag(Option::REQUIRE_AUTH).value_or(false))
    start.warnings.emplace_back(
        "DNSBL_AT_CONNECT=1 with REQUIRE_AUTH=1: users on a listed address, as many at home are, cannot log in; "
        "unset DNSBL_AT_CONNECT, and who has logged in is not judged by lists");
}

void warn_of_threshold(Start& start) {
  const bool has_domain_lists = !start.sender_lists.empty() || !start.helo_lists.empty();
  const auto highest = static_cast<std::uint64_t>(highest_score(start.dns_lists) + highest_score(start.sender_lists) +
                                                  highest_score(start.helo_lists));
  if (!has_dns_lists(start) || highest >= start.dnsbl_threshold) return;
  start.warnings.push_back("DNSBL_THRESHOLD is " + std::to_string(start.dnsbl_threshold) +
                           ", and the weights of DNSBL" + (has_domain_lists ? ", DNSBL_SENDER and DNSBL_HELO" : "") +
                           " come to " + std::to_string(highest) + ": no client is ever refused by it");
}

}  // namespace

std::vector<std::string> judge_dns_settings(Start& start, const base::Environment& environment,
                                            const VariableValues& values, std::string_view origin) {
  std::vector<std::string> problems;
  const auto wrong = [&](std::string_view name, const std::string& why) {
    problems.push_back(std::string(name) + " in " + std::string(origin) + ": " + why);
  };
  const auto read = [&](std::string_view name, ListedBy by, std::vector<DnsList>& into) {
    auto lists = parse_dns_lists(environment.value_of(name), by);
    if (!lists) return wrong(name, lists.error());
    into = std::move(*lists);
  };
  start.dnsbl_threshold = values.number(Option::DNSBL_THRESHOLD).value_or(spec::dnsbl_threshold);
  start.dnsbl_at_connect = values.flag(Option::DNSBL_AT_CONNECT).value_or(false);
  start.dns_servers = environment.value_of("POSTERN_DNS");
  if (const auto servers = dns::parse_servers(start.dns_servers); !start.dns_servers.empty() && !servers)
    wrong("POSTERN_DNS", servers.error());
  read("DNSBL", ListedBy::address, start.dns_lists);
  read("DNSBL_SENDER", ListedBy::domain, start.sender_lists);
  read("DNSBL_HELO", ListedBy::domain, start.helo_lists);
  if (!problems.empty()) return problems;
  warn_of_threshold(start);
  if (!environment.has("RBLSMTPD")) {
    warn_of_lists(start, environment, values);
    start.shared_domain_lists = lists_of_both(start.sender_lists, start.helo_lists);
  } else {
    start.dns_lists.clear();
    start.sender_lists.clear();
    start.helo_lists.clear();
  }
  return problems;
}

}  // namespace postern::config
