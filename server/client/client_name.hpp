// The name of one client on a loop, as the DNS gives and confirms it: asked when the client is let in, and never waited for by the
// loop.
// in      a connection, where `client_names` is set; clients of this machine are not asked about
// out     the name, once it is known; then the connection has a turn. A name is a line of the log
// bounds  two times spec::max_dns_seconds
// lives   with its client; what is still asked then is asked for nobody
// errors  without a resolver nobody is asked. No answer, a name whose addresses are others, lack of memory: no name. What failed is a
//         line of the log, of each loop once in ten seconds
// source  dns/confirmed_name.hpp
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ask/open_question.hpp"
#include "dns/confirmed_name.hpp"

namespace postern::server {

class Connection;

class ClientName final : private dns::ConfirmedName {
 public:
  // Null: nobody is asked.
  [[nodiscard]] static std::unique_ptr<ClientName> begin(Connection& connection);

  [[nodiscard]] bool is_awaited() const { return is_awaited_; }
  [[nodiscard]] std::string_view name() const { return name_; }  // empty: there is none

 private:
  ClientName(Connection& connection, dns::Resolver& resolver) : dns::ConfirmedName(resolver), connection_(connection) {}
  void ended(const Outcome& outcome) override;
  void take(const Outcome& outcome);
  void tell_of_failure(const Outcome& outcome);

  Connection& connection_;
  std::string name_;
  ask::OpenQuestion question_;
  bool is_awaited_ = true;
};

}  // namespace postern::server
