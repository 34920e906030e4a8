// DNS lists about one client on a loop, asked when it is let in, or about a domain that it names; never waited for by the loop.
// in      a connection whose class has lists; for a domain the lists and the domain
// out     the verdict, null until it is there; then the connection has a turn. DNS lists that refuse the client, and those that
//         did not answer, are lines of the log
// bounds  each list has spec::max_dns_seconds
// lives   with its client; what is still asked then is asked for nobody
// errors  without a resolver nobody is asked, and a line of the log says why. Lack of memory is no answer
// source  ask/client_listing.hpp; docs/decisions/0018-dns-lists.md, 0025-lists-of-domains.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "ask/client_listing.hpp"
#include "dns/channel.hpp"

namespace postern::server {

class Client;
class Connection;

class DnsLists {
 public:
  // Null: nobody is asked.
  [[nodiscard]] static std::unique_ptr<DnsLists> begin(Connection& connection);
  [[nodiscard]] static std::unique_ptr<DnsLists> begin(Connection& connection, const ask::DnsInquiry& domain);

  [[nodiscard]] const ask::DnsVerdict* verdict() const { return listing_.verdict(); }

 private:
  class Question final : public dns::Request {
   public:
    Question(DnsLists& of, std::size_t of_entry) : entry(of_entry), of_(of) {}
    void ended(const dns::Answer& answer) override { of_.heard(*this, answer); }

    const std::size_t entry;
    ask::OpenQuestion asked;

   private:
    DnsLists& of_;
  };

  enum class About : std::uint8_t { client, domain };
  DnsLists(Connection& connection, About about, const ask::DnsInquiry& asked);
  [[nodiscard]] static std::unique_ptr<DnsLists> begin(Connection& connection, About about,
                                                       const ask::DnsInquiry& asked);
  void ask(std::size_t entry, const std::string& name);
  void take(std::size_t entry, const dns::Answer& answer, ask::OpenQuestion& asked);
  void heard(Question& question, const dns::Answer& answer);
  void tell() const;
  [[nodiscard]] Client& client() const;

  Connection& connection_;
  About about_;
  std::span<const config::DnsList> lists_;
  ask::ClientListing listing_;
  std::deque<Question> questions_;
};

}  // namespace postern::server
