#include "config/in_force.hpp"

#include <utility>

namespace postern::config {
namespace {

// Apart by commas, each once.
class Names {
 public:
  void add(const std::string& name) {
    if (("," + text_ + ",").contains("," + name + ",")) return;
    text_ += (text_.empty() ? "" : ",") + name;
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::vector<InForce> asked_in_force(const Start& start) {
  std::vector<InForce> all;
  if (start.refuses_without_mailbox || start.asks_mail_cluster) all.push_back({"unknown_recipients", "refuse"});
  if (!start.recipient_program.empty()) all.push_back({"rcptcheck", start.recipient_program});
  if (start.userdb) all.push_back({"userdb", start.userdb->text});
  if (start.greylist_seconds != 0) all.push_back({"greylist", std::to_string(start.greylist_seconds)});
  if (!start.policy_services.empty()) {
    Names services;
    for (const PolicyService& each : start.policy_services) services.add(each.text);
    all.push_back({"policy_services", services.take()});
    all.push_back({"policy_failure", start.takes_unjudged ? "accept" : "defer"});
  }
  if (!start.filters.empty()) {
    Names filters;
    for (const FilterPlace& each : start.filters) filters.add(each.text);
    all.push_back({"filters", filters.take()});
    all.push_back({"filter_failure", start.takes_unfiltered ? "accept" : "defer"});
    all.push_back({"filter_max_octets", std::to_string(start.filter_max_octets)});
    if (!start.rspamd_settings.empty()) all.push_back({"rspamd_settings", start.rspamd_settings});
  }
  const auto add_lists = [&](std::string_view name, const std::vector<DnsList>& lists) {
    Names names;
    for (const DnsList& each : lists) names.add(each.name);
    if (!lists.empty()) all.push_back({name, names.take()});
  };
  add_lists("dns_lists", start.dns_lists);
  add_lists("dns_lists_of_sender", start.sender_lists);
  add_lists("dns_lists_of_helo", start.helo_lists);
  if (has_dns_lists(start)) {
    all.push_back({"dnsbl_threshold", std::to_string(start.dnsbl_threshold)});
    all.push_back({"dnsbl_at_connect", start.dnsbl_at_connect ? "1" : "0"});
  }
  return all;
}

}  // namespace postern::config
