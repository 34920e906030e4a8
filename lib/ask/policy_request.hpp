// What a policy service is asked at each stage, from the connection to the end of a message.
// in      the stage, the session, and at RCPT the recipient as it would be kept; or the message; and what the shell knows of the client
// out     `name=value` lines, each ended by LF, then an empty line: all attributes of Postfix 3.7 that belong to the stage, in its
//         order. What the client says later is empty, also where the question is asked later
// bounds  no control octet of a value reaches the service: each becomes `?`, so a value is never a line of its own. What a
//         session keeps of its client bounds the values
// errors  none; what is not known is empty, and a name that nobody has looked up is `unknown`
// source  Postfix SMTPD_POLICY_README
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "config/policy_services.hpp"
#include "engine/session.hpp"

namespace postern::ask {

// Texts of the caller; none is kept.
struct PolicyClient {
  std::string address, port;
  std::string host{};               // as the PTR record says; empty: not known
  bool has_confirmed_host = false;  // its addresses have the client's
  std::string server_address, server_port;
  std::string tls_version, tls_cipher;  // empty in clear, or where another program does TLS
  std::string session;                  // no other session of any program of this machine has this name
  std::string user{};                   // of AUTH, when it was done
  std::string message_id{};             // at DATA: in the log and in Received
};

// `instance` is that of the transaction, of the session alone before MAIL. At DATA `recipient` is empty where there are several.
[[nodiscard]] std::string write_policy_request(config::PolicyStage stage, const engine::Session& session,
                                               std::string_view recipient, const PolicyClient& client);

// Texts of the caller; none is kept.
struct PolicyMessage {
  std::string_view helo, sender;
  std::span<const std::string> recipients;
  std::uint64_t octets = 0;
  std::string_view id;               // of the message, in the log and in Received
  std::string_view user, mechanism;  // of AUTH, when it was done
};
// At the end of the mail data. `recipient` is empty where there are several; `instance` is the id.
[[nodiscard]] std::string write_policy_request(const PolicyMessage& message, const PolicyClient& client);

// "1a2b.5f.3": of this process, since a moment in nanoseconds.
[[nodiscard]] std::string policy_session_name(std::uint64_t nanoseconds);

}  // namespace postern::ask
