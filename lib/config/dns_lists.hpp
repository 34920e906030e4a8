// The DNS lists that a client's address is asked about (DNSBL, and with a negative weight DNSWL), or a domain that it names
// (DNSBL_SENDER, DNSBL_HELO), as an operator writes them.
// in      entries separated by blanks or commas: `zen.spamhaus.org=127.0.0.[2..11]*3 list.dnswl.org=127.0.[0..255].[1..3]*-2`
//           ZONE=ADDRESSES      which answers are a listing; each of the four numbers may be a set: `[2..11]`, `[2;4..7]`
//           *WEIGHT             what a listing counts; 1 where it is left out
//           KEY@ZONE=...        asked as KEY.ZONE, and shown as ZONE: a key of Spamhaus DQS is a secret
//           ipv4:ZONE=...       never asked about an IPv6 address; not of lists of domains
// out     DnsList, one for each entry; two entries may have one zone, with other addresses and weights
// errors  a sentence that says which entry is wrong and what to write; no key is in it
// source  postconf(5): postscreen_dnsbl_sites; RFC 5782 2.1, 2.2, 2.4
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace postern::config {

using Ipv4Octets = std::array<std::uint8_t, 4>;  // in network order

struct DnsList {
  using Octets = std::bitset<256>;

  std::string zone;                 // asked: with the key, in lower case, without a dot at its end
  std::string name;                 // shown: without it
  std::array<Octets, 4> addresses;  // that are a listing: one of each
  int weight = 1;
  bool is_for_ipv4 = false;  // alone
  bool is_of_helo = false;   // of lists_of_both(): from DNSBL_HELO

  [[nodiscard]] bool has(const Ipv4Octets& answer) const;
};

// 127.255.255.0/24 is how lists say that they do not answer (a resolver that they refuse, too many queries, a zone with a
// typing error), and other addresses than those of 127.0.0.0/8 are what somebody made of a list that has ended.
[[nodiscard]] bool may_be_listing(const Ipv4Octets& answer);

enum class ListedBy : std::uint8_t { address, domain };  // what the lists have entries for
[[nodiscard]] std::expected<std::vector<DnsList>, std::string> parse_dns_lists(std::string_view text,
                                                                               ListedBy by = ListedBy::address);

// Those that are asked about a name that is both a sender's domain and a HELO name: of a zone that is in both, an answer counts as the
// setting says in which it weighs more (ask/dns_lists.hpp).
[[nodiscard]] std::vector<DnsList> lists_of_both(const std::vector<DnsList>& sender, const std::vector<DnsList>& helo);

// The highest score that a client can reach.
[[nodiscard]] int highest_score(const std::vector<DnsList>& lists);

}  // namespace postern::config
