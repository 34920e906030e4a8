// Hands over to a mail cluster by LMTP: one object serves one message at a time.
// in      mail data; everything is collected, and then there is one transaction (transaction.hpp): finish() waits for it,
//         an event loop goes on between prepare() and conclude()
// out     one Outcome for all recipients, from the replies of the mail cluster:
//           accepted  each recipient has taken it, by a 2xx of its own after the final dot, now or before (taken.hpp)
//           deferred  anything temporary for anyone: a 4xx, no connection, no greeting, a timeout, an end, no valid reply
//           refused   a 5xx for at least one, and no 4xx: named in the verdict
//         A verdict has the mail cluster's words without their code, printable and cut, or a text of spec/replies.toml
// 8bit    octets above ASCII go only where 8BITMIME is offered, with BODY=8BITMIME; elsewhere the message is refused
// whole   refused or deferred before mail data: none has it. After it, LMTP answers for each, and some may have taken
//         what others have not:
//           deferred  those that took it are remembered, and skipped when the client sends it again
//           refused   those that took it keep it, the reply names one that did not; the client will not send it again
//         Replies that never came (the connection ended after the final dot) count as not taken: such a recipient may
//         get the message twice, and never not at all (RFC 5321 6.1)
// again   an idle connection that turns out to be dead (an end, or 421 to MAIL) is replaced by a new one,
//         once, and only before anything of the message was sent
// headers Return-Path is for the mail cluster to write: it makes the final delivery
// errors  deferred; `cause` says for the log what, at which stage, with whom
// source  RFC 2033 4.2; RFC 5321 4.2.5, 4.4, 6.1
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mail_spool.hpp"
#include "deliver/lmtp/cluster.hpp"
#include "deliver/lmtp/transaction.hpp"
#include "deliver/outgoing_message.hpp"

namespace postern::deliver {

class Lmtp final : public OutgoingMessage {
 public:
  // The cluster outlives this object.
  explicit Lmtp(LmtpCluster& cluster)
      : cluster_(cluster), message_(cluster.settings().file_folder), hash_(cluster.taken().begin()) {}

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) override;
  void append(std::string_view octets) override;
  // prepare(), the transaction, and conclude(): waits.
  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override;
  [[nodiscard]] Lmtp* for_cluster() override { return this; }
  [[nodiscard]] LmtpCluster& cluster() const { return cluster_; }
  void abandon() override;

  // An outcome when there is nothing to say to the mail cluster; else mail() is to be said. The envelope stays until then.
  [[nodiscard]] std::optional<Outcome> prepare(std::string_view octets, std::string_view envelope_octets);
  [[nodiscard]] LmtpMail mail() const { return {work_.reverse_path, work_.forward_paths, &message_}; }
  [[nodiscard]] Outcome conclude(const LmtpResult& result);

 private:
  // What is to be done for one message. The marks of a recipient stand at its index.
  struct Work {
    std::string_view reverse_path;
    std::vector<std::string> forward_paths;  // those that have not taken it yet
    std::vector<LmtpTaken::Mark> marks;
    std::vector<LmtpTaken::Mark> taken_before;
  };

  [[nodiscard]] std::optional<Work> work_for(std::string_view envelope_octets) const;
  [[nodiscard]] std::optional<Outcome> outcome_without_cluster(std::string_view envelope_octets);
  void keep_account(const LmtpResult& result, const Outcome& outcome);

  LmtpCluster& cluster_;
  std::string received_;  // until it is in the message
  base::MailSpool message_;
  base::SipHash hash_;  // of the message without our Received, which is another one each time
  bool has_begun_ = false;
  Work work_;  // of prepare()
};

}  // namespace postern::deliver
