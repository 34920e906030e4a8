// LMTP over one connection, without I/O: greeting, LHLO, then one transaction after the other.
// in      begin() with the envelope and the message, which stay until the transaction has ended; octets of the cluster
// out     octets for the cluster; LmtpResult, when the transaction has ended
// lives   as long as its connection
// time    reply_seconds for each reply, however its octets trickle, and for each write that makes no progress;
//         delivery_seconds for all replies after the final dot
// bounds  of what comes, a reply as reply.hpp says is kept; an unasked reply ends the connection
// errors  in LmtpResult; the conversation is `ended` then
// source  RFC 2033 4.1; RFC 5321 4.1.1.1, 4.1.1.10, 4.5.3.2
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "deliver/lmtp/transaction.hpp"

namespace postern::deliver {

struct LmtpTimeouts {
  unsigned connect_seconds = 5;
  unsigned reply_seconds = 60;  // of each reply, and of each write that makes no progress
  // RFC 5321 4.5.3.2.6: of all replies after the final dot together. A client of ours waits no longer for its one
  // reply than this; it would not know any more what we hear later.
  unsigned delivery_seconds = 600;
};

class LmtpConversation final : public base::ClientProtocol {
 public:
  // host   ours, for LHLO; it outlives this object, as timeouts do
  LmtpConversation(std::string_view host, const LmtpTimeouts& timeouts) : host_(host), timeouts_(timeouts) {}

  // While idle, and once on a new connection.
  void begin(const LmtpMail& mail, base::Time now);
  // When the transaction has ended.
  [[nodiscard]] LmtpResult take_result();

  [[nodiscard]] State state() const override;
  [[nodiscard]] std::string_view output() const override;
  void sent(std::size_t octets, base::Time now) override;
  void receive(std::string_view octets, base::Time now) override;
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure& failure) override;
  [[nodiscard]] bool may_repeat() const override;
  [[nodiscard]] std::string_view farewell() const override;

 private:
  enum class Stage : std::uint8_t { greeting, lhlo, ready, transaction, reset, ended };

  void hear(LmtpReply reply);
  void hear_reset(const LmtpReply& reply);
  void hear_greeting(const LmtpReply& reply);
  void hear_offers(const LmtpReply& reply);
  void begin_transaction();
  void go_on(LmtpTransaction::Step step);
  void wait(base::Time now);
  void end(LmtpTrouble trouble);

  std::string_view host_;
  const LmtpTimeouts& timeouts_;
  Stage stage_ = Stage::greeting;
  LmtpOffers offers_;
  LmtpReplyReader replies_;
  std::optional<LmtpMail> mail_;
  std::optional<LmtpTransaction> transaction_;
  std::string command_;  // LHLO or RSET
  base::Time deadline_{};
  LmtpResult result_;  // where no transaction has begun
  bool has_failed_ = false;
};

}  // namespace postern::deliver
