// Questions to Dovecot over one connection, without I/O: is there a user of this name?
// in      begin() with a name, any octets; octets of Dovecot: lines that end with LF, fields separated by TAB
// out     `VERSION 1 0` once, then `USER number name service=smtp` for each question; UserdbAnswer, when it has ended
// lives   as long as its connection
// time    the patience that it is made with, for a whole answer, however its octets trickle
// again   a question that ended with the connection: looking a user up has no effect
// bounds  spec::max_userdb_reply_octets of one answer, its handshake included; what comes after an answer ends the connection, and cannot
//         be taken for the next one, which has another number
// errors  in UserdbAnswer; the conversation is `ended` then
// source  Dovecot: auth-protocol.txt, master; its tab-escaping of names
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/client_protocol.hpp"

namespace postern::ask {

struct UserdbAnswer {
  enum class Kind : std::uint8_t {
    user,     // USER
    no_user,  // NOTFOUND
    failed,   // FAIL, or no answer, or one that is none: `trouble` says which
  } kind = Kind::failed;
  std::string trouble{};
};

// "no connection, ECONNREFUSED"
[[nodiscard]] UserdbAnswer userdb_failure(base::StreamFailure failure);

class UserdbConversation final : public base::ClientProtocol {
 public:
  explicit UserdbConversation(base::Interval patience) : patience_(patience) {}

  void begin(std::string_view user, base::Time now);
  [[nodiscard]] UserdbAnswer take_answer() { return std::move(answer_); }

  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override { return std::string_view(request_).substr(sent_); }
  void sent(std::size_t octets, base::Time) override { sent_ += octets; }
  void receive(std::string_view octets, base::Time now) override;
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure& failure) override;
  [[nodiscard]] bool may_repeat() const override { return may_repeat_; }

 private:
  // Whole, without its LF.
  void take(std::string_view line);
  void take_answer_of(std::string_view command, std::string_view fields);
  void end(UserdbAnswer answer, State state);

  base::Interval patience_;
  base::Time deadline_{};
  std::string request_, line_;
  std::size_t sent_ = 0, octets_ = 0;  // of this question
  std::uint32_t number_ = 0;           // of this question
  UserdbAnswer answer_;
  State state_ = State::idle;
  bool is_greeted_ = false;
  bool may_repeat_ = false;
};

}  // namespace postern::ask
