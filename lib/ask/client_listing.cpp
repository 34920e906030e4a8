#include "ask/client_listing.hpp"

#include <algorithm>
#include <new>

namespace postern::ask {

DnsAnswer answer_of(const dns::Answer& heard) {
  DnsAnswer answer;
  if (heard.kind == dns::Answer::Kind::failed) answer.why = describe(heard.failure);
  if (heard.kind == dns::Answer::Kind::none) answer.kind = DnsAnswer::Kind::none;
  if (heard.kind == dns::Answer::Kind::found) answer.kind = DnsAnswer::Kind::addresses;
  for (const base::Address& address : heard.addresses) {
    if (!address.is_ipv4()) continue;
    const std::span<const std::uint8_t> octets = address.octets();
    answer.addresses.push_back({octets[0], octets[1], octets[2], octets[3]});
  }
  return answer;
}

bool asks_dns_lists(const config::Start& start, const base::Address& client) {
  return !base::is_special(client) && asks_dns_lists(start);
}

bool asks_dns_lists(const config::Start& start) {
  if (start.dns_lists.empty() || start.event != spec::Event::connect_ready) return false;
  const spec::Guards guards = start.settings_and_facts;
  const bool only_users_send = guards.has(spec::bit::REQUIRE_AUTH) && !start.dnsbl_at_connect;
  return !guards.has(spec::bit::relay_client) && !only_users_send;
}

bool asks_domain_lists(const config::Start& start, const base::Address& client) {
  return !base::is_special(client) && asks_domain_lists(start);
}

bool asks_domain_lists(const config::Start& start) {
  const bool has_none = start.sender_lists.empty() && start.helo_lists.empty();
  return !has_none && start.event == spec::Event::connect_ready &&
         !start.settings_and_facts.has(spec::bit::relay_client | spec::bit::REQUIRE_AUTH);
}

std::vector<DnsInquiry> domain_inquiries(const config::Start& start, const engine::Session& session) {
  const auto subject_for = [](const std::vector<config::DnsList>& lists, std::string_view domain) {
    return lists.empty() ? std::nullopt : DnsSubject::of_domain(domain);
  };
  const std::string_view reverse_path = session.envelope().reverse_path();
  const std::size_t at = reverse_path.rfind('@');
  auto sender = subject_for(start.sender_lists, at == std::string_view::npos ? "" : reverse_path.substr(at + 1));
  auto helo = subject_for(start.helo_lists, session.client_name());
  std::vector<DnsInquiry> questions;
  if (sender && helo && sender->labels() == helo->labels()) {
    questions.push_back({start.shared_domain_lists, *std::move(sender)});
    return questions;
  }
  if (sender) questions.push_back({start.sender_lists, *std::move(sender)});
  if (helo) questions.push_back({start.helo_lists, *std::move(helo)});
  return questions;
}

std::expected<dns::Servers, std::string> dns_servers(std::string_view list) {
  return list.empty() ? dns::system_servers() : dns::parse_servers(list);
}

ClientListing::ClientListing(std::span<const config::DnsList> lists, std::uint64_t threshold, const DnsSubject& subject)
    : lists_(lists), threshold_(threshold), subject_(subject), answers_(lists.size()) {
  for (std::size_t i = 0; i < lists_.size(); ++i) awaited_ += name_of(i) ? 1U : 0U;
  if (awaited_ == 0) judge();
}

std::optional<std::string> ClientListing::name_of(std::size_t entry) const {
  const bool is_asked_by_another = asks_for(lists_, entry, subject_) != entry;
  return is_asked_by_another ? std::nullopt : name_to_ask(lists_[entry], subject_);
}

Outcome ClientListing::outcome_of(std::size_t entry, const DnsAnswer& answer) const {
  if (!why_unanswered(answer).empty()) return Outcome::failed;
  for (std::size_t i = entry; i < lists_.size(); ++i)
    if (asks_for(lists_, i, subject_) == entry &&
        std::ranges::any_of(answer.addresses, [&](const auto& each) { return lists_[i].has(each); }))
      return Outcome::listed;
  return Outcome::unlisted;
}

void ClientListing::take(std::size_t entry, const dns::Answer& answer) {
  if (verdict_) return;
  try {
    answers_[entry] = answer_of(answer);
  } catch (const std::bad_alloc&) {  // then it has failed
  }
  if (--awaited_ == 0) judge();
}

void ClientListing::close() {
  if (!verdict_) judge();
}

void ClientListing::judge() try {
  verdict_ = ask::judge(lists_, answers_, threshold_, subject_);
  answers_ = {};
} catch (const std::bad_alloc&) {
  verdict_.emplace();
}

}  // namespace postern::ask
