// Questions to one policy service over one connection, without I/O.
// in      begin() with a request (policy_request.hpp), which stays until it has ended; octets of the service
// out     octets for the service; PolicyAnswer, when the request has ended
// lives   as long as its connection
// time    the patience that it is made with, for a whole answer, however its octets trickle
// again   a request that ended with the connection before an octet of an answer came: nothing was decided, and Postfix asks again
// bounds  an answer as policy_reply.hpp says; a word that nobody asked for ends the connection
// errors  in PolicyAnswer; the conversation is `ended` then
// source  Postfix SMTPD_POLICY_README
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "ask/policy_reply.hpp"
#include "base/client_protocol.hpp"

namespace postern::ask {

struct PolicyAnswer {
  std::string action{};
  std::string trouble{};   // why there is no action; empty: there is one
  bool has_begun = false;  // with trouble: an octet came, which is no silence
};

// "no connection, ECONNREFUSED"
[[nodiscard]] std::string policy_trouble(base::StreamFailure failure);

class PolicyConversation final : public base::ClientProtocol {
 public:
  explicit PolicyConversation(base::Interval patience) : patience_(patience) {}

  void begin(std::string_view request, base::Time now);
  [[nodiscard]] PolicyAnswer take_answer() { return std::move(answer_); }

  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override { return unsent_; }
  void sent(std::size_t octets, base::Time) override { unsent_.remove_prefix(octets); }
  void receive(std::string_view octets, base::Time now) override;
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure& failure) override;
  [[nodiscard]] bool may_repeat() const override { return may_repeat_; }

 private:
  void end(std::string trouble, bool has_begun);

  base::Interval patience_;
  base::Time deadline_{};
  std::string_view unsent_;
  PolicyReplyReader reader_;
  PolicyAnswer answer_;
  State state_ = State::idle;
  bool may_repeat_ = false;
};

}  // namespace postern::ask
