// Who a client is: where it comes from and to, what its class is served with, and its name in the log.
// lives   as long as its connection; `served` from the admission on
// memory  its variables for programs, and our end of the connection, are asked for late: most sessions need neither
// errors  none
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/environment.hpp"
#include "base/network.hpp"
#include "config/tcpserver_env.hpp"
#include "observe/journal.hpp"
#include "server/client/client_name.hpp"
#include "server/client/dns_lists.hpp"
#include "server/service_profile.hpp"

namespace postern::server {

struct LoopContext;

// Where a client comes to: a listener of the configuration, as one set of policies has it.
struct ListenerRef {
  std::uint32_t index;  // its place in the configuration
  bool has_proxy;       // the peer is a proxy that names its client
};

class Client {
 public:
  // What programs and trace fields say of the client; the peer is read again when the environment has changed.
  struct Facts {
    base::Environment environment;
    config::Peer peer;
  };

  Client(LoopContext& loop, base::Endpoint from, ListenerRef to, std::uint64_t in_log)
      : context(loop), remote(from), listener(to), number(in_log) {}

  // As a proxy names it.
  void speaks_for(const base::Endpoint& source, const base::Endpoint& destination);

  // Its views live until the next call for any client of this loop.
  [[nodiscard]] observe::Journal journal() const;
  [[nodiscard]] observe::Journal journal_of_decisions() const;  // it names the listener, too
  // socket   of the connection
  [[nodiscard]] const base::Endpoint& local(int socket);
  [[nodiscard]] Facts& facts(int socket);
  // From limits, by the operator: his own hosts, and those that send mail for him.
  [[nodiscard]] bool is_exempt() const;
  // What its session is served with: by its class, or before that is known by the listener's own, but nothing is said in clear to
  // a client whose class begins with TLS.
  [[nodiscard]] engine::Service service() const;

  LoopContext& context;

 private:
  base::Endpoint local_;
  bool knows_local_ = false;

 public:
  bool is_admitted = false;         // ClientTable counts it
  std::optional<bool> expects_tls;  // before the first octet, as its class says; none: as `served` does
  base::Endpoint remote;
  const ListenerRef listener;
  const std::uint64_t number;
  std::shared_ptr<const ServiceProfile> served;
  std::unique_ptr<DnsLists> dns_lists;         // null: they are not asked
  std::unique_ptr<ClientName> confirmed_name;  // null: it is not asked for

 private:
  std::unique_ptr<Facts> facts_;
};

}  // namespace postern::server
