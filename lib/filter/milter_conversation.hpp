// What is said to one milter about one message, without I/O: the offer, the session as the client had it, the message, the end.
// in      begin() with a message, which stays until it has ended; or begin_probe(); octets of the filter
// out     octets for the filter; a Verdict
// lives   for one message: it is `ended` after it, and so is its connection. Nothing of one message can reach another
// live    a filter sees the client's commands when the message is complete, and not when they came. A filter that refuses a
//         recipient refuses the message: one reply is left for all (docs/decisions/0023-milters.md)
// whole   what a filter changes counts only when the end of its answer is there, and never with another verdict than `accept`
// unasked an answer that nobody asked for, or that does not belong there, is none: failed. So is one of which an octet comes before
//         the command that it could answer has gone, and one that another follows at once
// time    command_seconds for each answer, and for each write that makes no progress; from the header on
//         content_seconds; `progress` begins it again. The caller bounds the whole
// bounds  as milter_codec.hpp and milter_edits.hpp say
// errors  Verdict::Kind::failed; `cause` says what, and at which stage. Silent where no octet of the answer that is awaited has
//         come, `progress` apart. Also a field that no packet can hold: refused
// source  libmilter (smfi_*, xxfi_*), Sendmail 8.17; Postfix MILTER_README
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/client_protocol.hpp"
#include "filter/message.hpp"
#include "filter/milter_codec.hpp"
#include "filter/milter_edits.hpp"
#include "filter/milter_script.hpp"
#include "filter/verdict.hpp"

namespace postern::filter {

// postconf(5): milter_command_timeout, milter_content_timeout
struct MilterTimeouts {
  unsigned command_seconds = 30, content_seconds = 300;
};

class MilterConversation final : public base::ClientProtocol {
 public:
  explicit MilterConversation(const MilterTimeouts& timeouts = {}) : timeouts_(timeouts) {}

  void begin(const FilterMessage& message, base::Time now);
  // Only what is agreed: `accept` says that a filter is there, and `cause` what it speaks.
  void begin_probe(base::Time now);
  [[nodiscard]] Verdict take_verdict() { return std::move(verdict_); }

  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override { return std::string_view(unsent_).substr(sent_); }
  void sent(std::size_t octets, base::Time now) override;
  void receive(std::string_view octets, base::Time now) override;
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure& failure) override;
  // A filter may have counted it, put it aside, or written of it.
  [[nodiscard]] bool may_repeat() const override { return false; }
  [[nodiscard]] std::string_view farewell() const override;

 private:
  void offer(base::Time now);
  // Until an answer is awaited, or there is much to send.
  void go_on();
  void hear(const MilterPacket& packet);
  void hear_terms(const MilterPacket& packet);
  void hear_text(std::string_view data);
  void accept();
  void wait(base::Time now);
  void end(Verdict::Kind kind, std::string words, std::string_view cause);
  [[nodiscard]] bool is_our_turn() const { return !is_awaiting_ || !output().empty(); }
  [[nodiscard]] MilterStep step() const { return script_ ? script_->said() : MilterStep::offer; }

  MilterTimeouts timeouts_;
  const FilterMessage* message_ = nullptr;  // null: a probe
  MilterPacketReader packets_{0};
  MilterTerms terms_;
  std::optional<MilterScript> script_;
  std::optional<MilterEdits> edits_;
  State state_ = State::idle;
  bool is_awaiting_ = false;
  std::string unsent_;
  std::size_t sent_ = 0;
  base::Time deadline_{};
  Verdict verdict_;
};

}  // namespace postern::filter
