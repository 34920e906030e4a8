// What the log says of a connection: one line an event, with the rule id that README and spec explain.
// in      what happened; octets of the client are escaped, passwords never come here
// out     lines on descriptor 2: start, decision, sent, refuse, auth, message, filter, gate, shadow, dns_listed, name, tls, trouble, end
// lives   the views given to the constructor outlive the journal
// errors  none
// source  deviation D17; multilog(8)
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ask/credentials.hpp"
#include "ask/dns_lists.hpp"
#include "ask/policy_inquiry.hpp"
#include "config/in_force.hpp"
#include "config/start.hpp"
#include "deliver/message_id.hpp"
#include "deliver/outgoing_message.hpp"
#include "engine/conversation.hpp"
#include "filter/filters.hpp"
#include "observe/log.hpp"

namespace postern::observe {

// How a session has gone, at its end.
struct SessionEnd {
  std::uint32_t errors = 0;
  std::uint32_t lost_replies = 0;  // of those that this log shows too
  std::uint32_t stray_reports = 0;
};
[[nodiscard]] SessionEnd end_of(const engine::Conversation& conversation);

// Who refuses: `validrcptto`, `mailbox`, `RCPTCHECK`, the address of a policy service, `lmtp`, ..., his words where the reply has
// others, and what has failed.
struct RefusedBy {
  std::string_view name{}, words{}, why{};
  deliver::MessageId id{};  // of the message that is refused; 0: there is none
};

// `queue-program`, `maildir`, `lmtp`, `discard`, `none`
[[nodiscard]] std::string_view way_out_of(config::HandOverKind kind);

class Journal {
 public:
  // client    its address; "unknown" when not known
  // session   a name that all lines of one session bear; empty where the process stands for it
  // listener  where the client came in, on the lines that decide: refuse, auth, message; empty where there is only one
  explicit Journal(std::string_view client, std::string_view session = {}, LogVoice voice = {},
                   std::string_view listener = {})
      : client_(client), session_(session), listener_(listener), voice_(voice) {}

  void start(const config::Start& start) const;  // of one client
  // of one listener, for all its clients; of_server   who is asked for all listeners
  void settings(const config::Start& start, const std::vector<config::InForce>& of_server = {}) const;
  // by        shown with the refusal of a recipient, credentials or a message alone
  void refusal(const engine::Step& step, const RefusedBy& by = {}) const;
  // POSTERN_LOG_DECISIONS=1: each decision, and each reply of those that were given to the connection.
  void decision(const engine::Step& step) const;
  void sent(std::string_view replies) const;
  void credentials(const ask::CheckResult& result, std::string_view username) const;
  void gated(std::string_view username) const;  // whose password was not checked
  // A line `recipient` follows for each recipient after the first.
  void message(deliver::MessageId id, const deliver::Outcome& outcome, const engine::Session& session) const;
  // A gate of the listener (deviation D22); the line before one that shuts names the user.
  struct Gate {
    std::string_view kind, change;
    std::uint64_t number;
  };
  void gate(const Gate& gate) const;
  // Where the shadow of `postern serve` would first have gone another way (docs/decisions/0014).
  struct Difference {
    std::string_view rule, would, cause;
    std::uint64_t number;
  };
  void shadow(const Difference& difference) const;
  // DNS lists whose weights refuse the client.
  void dns_listed(const ask::DnsVerdict& verdict, std::uint64_t threshold) const;
  void named(std::string_view name) const;  // by the DNS, confirmed by its addresses
  // What a policy service said of a recipient, where it said more than that it has no opinion, or why it said nothing.
  // recipient   empty: it is about a message
  void policy(const ask::PolicyRemark& remark, std::string_view recipient) const;
  // What a filter said of a message, and how long it took; one that has failed is trouble.
  void filtered(deliver::MessageId id, const filter::Remark& remark) const;
  void tls(std::string_view version, std::string_view cipher) const;
  void trouble(std::string_view sentence) const;
  void warning(std::string_view sentence) const;
  void end(std::string_view how, const SessionEnd& end) const;

 private:
  void further_recipients(deliver::MessageId id, std::string_view result, const engine::Envelope& envelope) const;
  [[nodiscard]] LogLine line(std::string_view event) const;
  void name_listener(LogLine& line) const;

  std::string_view client_, session_, listener_;
  LogVoice voice_;
};

}  // namespace postern::observe
