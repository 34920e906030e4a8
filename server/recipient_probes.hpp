// How recipients are asked about on a loop: of a mail cluster by LMTP, and of Dovecot's userdb.
// in      as RecipientLookups takes it
// out     as there
// bounds  as there. Deliveries have connections of their own (deliver/lmtp_loop.hpp)
// lives   a mail cluster belongs to its way out, a userdb to the server; what they said is of all loops
// errors  as there
// source  docs/decisions/0021-ask-the-mail-cluster.md, 0024-ask-dovecot.md
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "ask/userdb.hpp"
#include "deliver/lmtp/probe.hpp"
#include "server/recipient_lookups.hpp"
#include "server/userdbs.hpp"

namespace postern::server {

// To one mail cluster, under one name of ours.
class LmtpProbing {
 public:
  using Target = deliver::LmtpCluster;
  using Protocol = deliver::LmtpConversation;

  explicit LmtpProbing(const Target& cluster)
      : address_(cluster.settings().address.text), host_(cluster.settings().host) {}

  [[nodiscard]] bool serves(const Target& cluster) const {
    return address_ == cluster.settings().address.text && host_ == cluster.settings().host;
  }
  [[nodiscard]] std::unique_ptr<Protocol> make_protocol() const { return std::make_unique<Protocol>(host_, timeouts_); }

  [[nodiscard]] static const base::SocketAddress& address_of(const Target& cluster) {
    return cluster.settings().address;
  }
  [[nodiscard]] static std::string name_of(const Target& cluster, std::string_view recipient) {
    return deliver::forward_path_of(cluster.settings(), recipient);
  }
  static void begin(Protocol& conversation, const std::string& forward_path, base::Time now) {
    conversation.begin({.reverse_path = {}, .forward_paths = {&forward_path, 1}, .message = nullptr}, now);
  }
  [[nodiscard]] static limits::RecipientStanding standing_without_name(const Target& cluster) {
    return deliver::standing_of_no_path(cluster.settings().address.text);
  }
  [[nodiscard]] static limits::RecipientStanding standing_of(const Target& cluster, Protocol& ended) {
    return deliver::standing_of(ended.take_result(), cluster.settings().address.text);
  }
  [[nodiscard]] static limits::RecipientStanding standing_of(const Target& cluster,
                                                             const base::StreamFailure& failure) {
    return deliver::standing_of({.trouble = deliver::trouble_of(failure)}, cluster.settings().address.text);
  }

 private:
  std::string address_, host_;
  deliver::LmtpTimeouts timeouts_{.reply_seconds = spec::max_probe_seconds};
};

using RecipientProbes = RecipientLookups<LmtpProbing>;

class UserdbProbing {
 public:
  using Target = Userdb;
  using Protocol = ask::UserdbConversation;

  explicit UserdbProbing(const Target& userdb) : address_(userdb.address().text) {}

  [[nodiscard]] bool serves(const Target& userdb) const { return address_ == userdb.address().text; }
  [[nodiscard]] std::unique_ptr<Protocol> make_protocol() const {
    return std::make_unique<Protocol>(std::chrono::seconds(spec::max_probe_seconds));
  }

  [[nodiscard]] static const base::SocketAddress& address_of(const Target& userdb) { return userdb.address(); }
  [[nodiscard]] static std::string name_of(const Target&, std::string_view recipient) {
    return ask::userdb_name_of(recipient);
  }
  static void begin(Protocol& conversation, const std::string& user, base::Time now) { conversation.begin(user, now); }
  [[nodiscard]] static limits::RecipientStanding standing_without_name(const Target&) { return {}; }
  [[nodiscard]] static limits::RecipientStanding standing_of(const Target& userdb, Protocol& ended) {
    return ask::standing_of(ended.take_answer(), userdb.address().text);
  }
  [[nodiscard]] static limits::RecipientStanding standing_of(const Target& userdb, const base::StreamFailure& failure) {
    return ask::standing_of(ask::userdb_failure(failure), userdb.address().text);
  }

 private:
  std::string address_;
};

using UserdbLookups = RecipientLookups<UserdbProbing>;

}  // namespace postern::server
