// What a filter is shown of one message: who sent it, its envelope, and its mail data, without our own Received.
// in      nothing: a value that the way out makes for each message, and again after the edits of a filter
// out     FilterMessage
// lives   the mail data is the caller's until the filter has judged. All else is the value's own
// bounds  as a session bounds them; no text holds a NUL, CR or LF
// errors  none; what is not known is empty
// source  rspamd protocol (docs of 3.4); libmilter; docs/decisions/0022-filters.md
#pragma once

#include <string>
#include <vector>

#include "base/mail_spool.hpp"

namespace postern::filter {

struct FilterClient {
  std::string address{}, port{};  // "192.0.2.7" or "2001:db8::7", "49152"
  std::string name{};             // only where the addresses of this name have the client's
  std::string helo{};             // as the client gave it
  std::string user{};             // of AUTH, when it was done: "joe"
  // "TLSv1.3", "TLS_AES_256_GCM_SHA384"; empty in clear, or where another program does TLS.
  std::string tls_version{}, tls_cipher{};
  std::string server_address{}, server_port{};  // which the client has reached
};

struct FilterEnvelope {
  std::string reverse_path{};                          // without angle brackets; empty: the null reverse-path
  std::vector<std::string> reverse_path_parameters{};  // of MAIL, as they are known: "SIZE=1000", "BODY=8BITMIME"
  std::vector<std::string> forward_paths{};            // without angle brackets, in their order
};

struct FilterMessage {
  FilterClient client{};
  FilterEnvelope envelope{};
  std::string host{};  // ours, as the greeting says it
  std::string id{};    // of the message, as the log and our Received have it
  // Never null where a filter is asked. Lines end with LF; the last one may lack it.
  const base::MailSpool* mail = nullptr;
};

}  // namespace postern::filter
