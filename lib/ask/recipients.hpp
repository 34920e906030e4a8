// Judges one forward-path: the sender against badmailfrom, the domain against rcpthosts, and what the policy would take then
// against badrcptto and the list of valid recipients; and writes it as it is kept.
// in      the reverse-path, and the forward-path as grammar::write_mailbox writes it
// out     Judgement: an event recipient_*, and the address with a literal of our own replaced and RELAYCLIENT appended;
//         the address is valid until the next call
// errors  recipient_unknowable, and a sentence for the log: a list cannot be read now
// source  qmail-smtpd(8): badmailfrom, rcpthosts, localiphost, RELAYCLIENT; original: RELAYREJ, which it looks at first
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "ask/recipient_lists.hpp"
#include "spec/policy_row.hpp"

namespace postern::ask {

class Recipients {
 public:
  // Reads each file when it is first needed.
  Recipients() = default;
  // By what others have read: judge() reads nothing then.
  void use(std::shared_ptr<const RecipientLists> lists) { lists_ = std::move(lists); }

  struct Judgement {
    spec::Event event;
    std::string_view address;
    std::string problem{};       // why it is unknowable
    std::string_view said_by{};  // the list or setting that refuses it, or cannot be read; lives for ever
  };
  struct Client {
    std::string_view local_ip;            // ours, as the client reached us
    std::string_view relay_value;         // of RELAYCLIENT; empty after AUTH, as in the original
    bool may_ask_to_relay = true;         // without RELAYREJ=1, and with it for clients that may relay
    bool may_relay = false;               // RELAYCLIENT, or after AUTH
    std::string_view valid_recipients{};  // path of their cdb, as in ask/valid_recipients.hpp
  };

  [[nodiscard]] Judgement judge(std::string_view reverse_path, std::string_view forward_path, const Client& client);

 private:
  template <typename Lists>
  [[nodiscard]] Judgement judge_mailbox(Lists& lists, RcptHosts::Standing standing, const Client& client);
  template <typename Lists>
  [[nodiscard]] Judgement judge_by(Lists& lists, std::string_view reverse_path, const Client& client);

  RecipientLists own_;
  std::shared_ptr<const RecipientLists> lists_;  // null: its own
  std::string address_;
};

}  // namespace postern::ask
