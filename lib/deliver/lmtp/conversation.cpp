#include "deliver/lmtp/conversation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace postern::deliver {
namespace {

using Kind = LmtpTrouble::Kind;
using Step = LmtpTransaction::Step;

constexpr int closing = 421;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// RFC 5321 4.1.1.1: the first line is the domain, each other one a keyword and its parameters.
LmtpOffers offers_in(std::string_view lines) {
  LmtpOffers offers;
  for (std::size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    lines.remove_prefix(end + 1);
    const std::string_view keyword = lines.substr(0, lines.find_first_of(" \n"));
    offers.pipelining |= equal_ignoring_case(keyword, "PIPELINING");
    offers.eight_bit_mime |= equal_ignoring_case(keyword, "8BITMIME");
    offers.size |= equal_ignoring_case(keyword, "SIZE");
  }
  return offers;
}

}  // namespace

void LmtpConversation::begin(const LmtpMail& mail, base::Time now) {
  mail_.emplace(mail);
  result_ = {};
  transaction_.reset();
  if (stage_ == Stage::ready) begin_transaction();
  wait(now);
}

void LmtpConversation::begin_transaction() {
  stage_ = Stage::transaction;
  transaction_.emplace(*mail_, offers_);
  go_on(transaction_->begin());
}

LmtpResult LmtpConversation::take_result() {
  LmtpResult result = std::move(transaction_ ? transaction_->result() : result_);
  transaction_.reset();
  mail_.reset();
  return result;
}

base::ClientProtocol::State LmtpConversation::state() const {
  if (stage_ == Stage::ended) return State::ended;
  return stage_ == Stage::ready ? State::idle : State::busy;
}

std::string_view LmtpConversation::output() const {
  return stage_ == Stage::transaction ? transaction_->output() : command_;
}

void LmtpConversation::sent(std::size_t octets, base::Time now) {
  if (stage_ == Stage::transaction)
    go_on(transaction_->sent(octets));
  else
    command_.erase(0, octets);
  wait(now);
}

void LmtpConversation::wait(base::Time now) {
  const bool is_delivering = stage_ == Stage::transaction && transaction_->waits_for_delivery();
  deadline_ = now + std::chrono::seconds(is_delivering ? timeouts_.delivery_seconds : timeouts_.reply_seconds);
}

void LmtpConversation::receive(std::string_view octets, base::Time now) {
  replies_.add(octets);
  while (state() == State::busy) {
    auto reply = replies_.next();
    if (!reply) break;
    const bool was_delivering = stage_ == Stage::transaction && transaction_->waits_for_delivery();
    hear(std::move(*reply));
    if (!was_delivering) wait(now);
  }
  if (state() == State::busy && replies_.is_garbage()) end({Kind::garbage});
  if (state() == State::idle && !replies_.is_empty()) stage_ = Stage::ended;  // unasked
}

// A reply to what has not been said is no reply: a cluster that is one ahead would answer for a recipient it never heard of.
void LmtpConversation::hear(LmtpReply reply) {
  if (!command_.empty()) return end({Kind::garbage});
  switch (stage_) {
    case Stage::greeting: return hear_greeting(reply);
    case Stage::lhlo: return hear_offers(reply);
    case Stage::transaction: return go_on(transaction_->hear(std::move(reply)));
    case Stage::reset: return hear_reset(reply);
    case Stage::ready:
    case Stage::ended: break;
  }
}

// It refuses RSET: or this is the reply to RCPT, and each before it was that to the command before.
void LmtpConversation::hear_reset(const LmtpReply& reply) {
  if (!reply.is_positive() && transaction_->is_probe()) return end({Kind::garbage});
  stage_ = reply.is_positive() ? Stage::ready : Stage::ended;
}

// A mail cluster that does not speak LMTP, or not now, has said nothing about our message, whatever its code is.
void LmtpConversation::hear_greeting(const LmtpReply& reply) {
  if (reply.code != 220) return end({Kind::unwilling});
  command_ = "LHLO " + std::string(host_) + "\r\n";
  stage_ = Stage::lhlo;
}

void LmtpConversation::hear_offers(const LmtpReply& reply) {
  if (reply.code != 250) return end({Kind::unwilling});
  offers_ = offers_in(reply.text);
  begin_transaction();
}

void LmtpConversation::go_on(Step step) {
  switch (step) {
    case Step::goes_on: return;
    case Step::complete: stage_ = Stage::ready; return;
    case Step::given_up:
      command_ = "RSET\r\n";
      stage_ = Stage::reset;
      return;
    case Step::broken:
      has_failed_ = transaction_->result().trouble.has_value();
      stage_ = Stage::ended;
      return;
  }
}

void LmtpConversation::fail(const base::StreamFailure& failure) { end(trouble_of(failure)); }

// While RSET is not answered the result is known already: a failure concerns the connection alone. But one reply too many
// may be the answer to a probe, and the one before it to something else.
void LmtpConversation::end(LmtpTrouble trouble) {
  const bool is_in_doubt = stage_ == Stage::reset && trouble.kind == Kind::garbage && transaction_->is_probe();
  if (stage_ == Stage::transaction || is_in_doubt)
    static_cast<void>(transaction_->fail(trouble));
  else if (stage_ != Stage::reset)
    result_.trouble = trouble;
  has_failed_ = true;
  stage_ = Stage::ended;
}

// The peer that closes an idle connection says so only at the next MAIL: nothing has happened yet.
bool LmtpConversation::may_repeat() const {
  if (!transaction_) return false;
  const LmtpResult& result = transaction_->result();
  if (result.has_sent_data) return false;
  const bool has_ended = result.trouble && result.trouble->kind == Kind::closed;
  return result.of_all.code == closing || (has_ended && !result.has_been_answered);
}

// A peer that has broken the conversation gets no further command.
std::string_view LmtpConversation::farewell() const { return has_failed_ ? "" : "QUIT\r\n"; }

}  // namespace postern::deliver
