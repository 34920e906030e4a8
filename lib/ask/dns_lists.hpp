// Judges the address of a client, or a domain that it names, by what DNS lists answer: names to ask, and the score of the answers.
// in      the lists, the address or domain, for each list what DNS says
// out     names; DnsVerdict
// errors  none: what failed, is silent or is no listing counts nothing, so no trouble of DNS refuses a client
// source  RFC 5782 2.1, 2.2, 2.4; postscreen(8): DNSBL scores; docs/decisions/0018-dns-lists.md, 0025-lists-of-domains.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/network.hpp"
#include "config/dns_lists.hpp"

namespace postern::ask {

// What DNS says of one name.
struct DnsAnswer {
  enum class Kind : std::uint8_t { failed, none, addresses } kind = Kind::failed;  // failed: or silent
  std::vector<config::Ipv4Octets> addresses{};
  std::string_view why = "timed out";  // it failed; what lives for ever
};

// `SERVFAIL`, `127.255.255.254`: why it does not say whether it lists the client. Empty: it does.
[[nodiscard]] std::string why_unanswered(const DnsAnswer& answer);

// What lists are asked about.
class DnsSubject {
 public:
  DnsSubject(const base::Address& client)
      : is_(base::without_nat64(client)) {}  // NOLINT(google-explicit-constructor): most are one
  // Of a sender or a HELO name, in any case of letters. None: no list has it, because it is no domain of the Internet: an address, in
  // brackets or without, one label, or octets that no name of a host has.
  [[nodiscard]] static std::optional<DnsSubject> of_domain(std::string_view domain);

  // Whether a list may be asked about it at all: those of IPv4 are not asked about IPv6.
  [[nodiscard]] bool is_for(const config::DnsList& list) const;
  // `2.0.0.127`, of an IPv6 address its 32 nibbles; `example.com`.
  [[nodiscard]] std::string labels() const;
  [[nodiscard]] std::string text() const;  // for a client to read

 private:
  explicit DnsSubject(std::string domain) : is_(std::move(domain)) {}
  std::variant<base::Address, std::string> is_;
};

// `2.0.0.127.zen.spamhaus.org`, `example.com.dbl.spamhaus.org`. None: this list is not asked about it, or the name would be too long.
[[nodiscard]] std::optional<std::string> name_to_ask(const config::DnsList& list, const DnsSubject& subject);
// The first entry that asks what this one asks: the name goes out once.
[[nodiscard]] std::size_t asks_for(std::span<const config::DnsList> lists, std::size_t entry,
                                   const DnsSubject& subject);

struct Unanswered {
  std::string list, why;
  friend bool operator==(const Unanswered&, const Unanswered&) = default;
};
// For the log: `zen.spamhaus.org (127.255.255.254), bl.example (timed out)`.
[[nodiscard]] std::string describe(const std::vector<Unanswered>& lists);

struct DnsVerdict {
  bool is_listed = false;  // the score has reached the threshold
  int score = 0;
  std::string
      named{};  // `192.0.2.1 is on zen.spamhaus.org, bl.example`, by the lists that count against it; empty: by none
  std::string words{};                   // of a reply: the same, and empty unless it is listed
  std::string detail{};                  // of the log: `zen.spamhaus.org*3 list.dnswl.org*-2`, what counted
  std::vector<std::string> listed_by{};  // the names of the lists that counted, each once
  std::vector<Unanswered> unanswered{};  // those that did not say, each once
};

// answers   one for each entry; of one that asks what another asks, that one's counts
// weights   are added up; but where one zone is in both DNSBL_SENDER and DNSBL_HELO, and the two are one name, only those of the setting
//           in which its answer weighs more
[[nodiscard]] DnsVerdict judge(std::span<const config::DnsList> lists, std::span<const DnsAnswer> answers,
                               std::uint64_t threshold, const DnsSubject& subject);
// Of a client and of what it names: the sum of their scores. Without what lists did not answer, which each has told by itself.
[[nodiscard]] DnsVerdict add_up(std::span<const DnsVerdict* const> verdicts, std::uint64_t threshold);

}  // namespace postern::ask
