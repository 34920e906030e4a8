// What a policy service answers: its lines, and what its action means here.
// in      PolicyReplyReader: octets as they come. policy_verdict(): the value of `action=`
// out     the action, when the empty line has come; a PolicyVerdict
// bounds  an answer has at most spec::max_policy_reply_octets. Words for a client are printable ASCII, a header field is one line
// errors  `malformed`: a line that is no attribute, a NUL, no action or two, or too long; nothing of it counts
// source  Postfix SMTPD_POLICY_README; access(5) of Postfix 3.7
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::ask {

class PolicyReplyReader {
 public:
  enum class State : std::uint8_t { partial, complete, malformed };

  void clear() { *this = {}; }
  // What follows a complete answer changes nothing but has_more().
  void add(std::string_view octets);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool has_begun() const { return octets_ != 0; }
  [[nodiscard]] bool has_more() const { return has_more_; }
  [[nodiscard]] const std::string& action() const { return action_; }  // of a complete one

 private:
  void end_line();

  std::string line_, action_;
  std::size_t octets_ = 0;
  State state_ = State::partial;
  bool has_action_ = false;
  bool has_more_ = false;
};

struct PolicyVerdict {
  enum class Kind : std::uint8_t {
    permit,           // OK, PERMIT: no other service is asked
    indifferent,      // DUNNO: the next one decides
    refuse,           // REJECT, 5NN
    defer,            // DEFER, 4NN
    defer_if_permit,  // unless a later service refuses
    defer_if_refuse,  // only if a later service refuses: DEFER_IF_REJECT
    prepend,          // a header field for the message; for the rest indifferent
    remark,           // WARN, INFO: for the log
    another,          // what this server does not do, or what nobody knows
  } kind = Kind::another;
  // For the client: with the enhanced code of the service, or else of access(5). Of prepend: the header field, ended by LF; empty where
  // it is none.
  std::string words{};
};

enum class PolicyAbout : std::uint8_t { recipient, message };
[[nodiscard]] PolicyVerdict policy_verdict(std::string_view action, PolicyAbout about = PolicyAbout::recipient);

}  // namespace postern::ask
