// What the DNS lists say of one client, or of a domain that it names: all are asked at once, the verdict is there when the last one has
// answered.
// in      the lists and the threshold of a start, the client's address or the domain; for each name that is to be asked, its answer
// out     the names; the verdict, null until all answers are there, or close() has ended the waiting
// lives   the lists outlive it
// memory  what was answered goes when the verdict is there
// errors  none: what failed, for lack of memory too, counts nothing, and DnsVerdict::unanswered names it
// source  ask/dns_lists.hpp
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ask/dns_lists.hpp"
#include "ask/open_question.hpp"
#include "config/start.hpp"
#include "dns/answer.hpp"
#include "dns/servers.hpp"
#include "engine/session.hpp"

namespace postern::ask {

// Whether lists are asked about clients of this start: not where nothing could come of it.
[[nodiscard]] bool asks_dns_lists(const config::Start& start);
// The same of that client: not of an address that no host of the Internet has, which a list names by mistake or not at all.
[[nodiscard]] bool asks_dns_lists(const config::Start& start, const base::Address& client);

// The same of the lists of domains: not where no stranger can send.
[[nodiscard]] bool asks_domain_lists(const config::Start& start);
[[nodiscard]] bool asks_domain_lists(const config::Start& start, const base::Address& client);

struct DnsInquiry {
  std::span<const config::DnsList> lists;
  DnsSubject subject;
};
// What is asked about a transaction of a client that may not relay: its sender's domain of DNSBL_SENDER, its HELO name of DNSBL_HELO.
[[nodiscard]] std::vector<DnsInquiry> domain_inquiries(const config::Start& start, const engine::Session& session);

// POSTERN_DNS, or the key `dns`; empty: those of the system.
[[nodiscard]] std::expected<dns::Servers, std::string> dns_servers(std::string_view list);

// What a list says in an answer.
[[nodiscard]] DnsAnswer answer_of(const dns::Answer& heard);

class ClientListing {
 public:
  ClientListing(std::span<const config::DnsList> lists, std::uint64_t threshold, const DnsSubject& subject);

  [[nodiscard]] std::size_t entries() const { return lists_.size(); }
  // None: this entry is not asked about the client, or another asks the same.
  [[nodiscard]] std::optional<std::string> name_of(std::size_t entry) const;
  // What the list of an entry that has a name says in that answer, by this entry or by others that ask the same.
  [[nodiscard]] Outcome outcome_of(std::size_t entry, const DnsAnswer& answer) const;
  // Once for each entry that has a name.
  void take(std::size_t entry, const dns::Answer& answer);
  // What has not answered is silent.
  void close();
  [[nodiscard]] const DnsVerdict* verdict() const { return verdict_ ? &*verdict_ : nullptr; }

 private:
  void judge();

  std::span<const config::DnsList> lists_;
  std::uint64_t threshold_;
  DnsSubject subject_;
  std::vector<DnsAnswer> answers_;
  std::size_t awaited_ = 0;
  std::optional<DnsVerdict> verdict_;
};

}  // namespace postern::ask
