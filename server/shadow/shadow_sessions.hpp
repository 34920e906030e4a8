// The sessions of one loop as the shadow has them: of each a state word of its own, and what it would have decided.
// in      each decision of each session; the end of a session
// out     the first difference of a session is counted, and at times logged; then the session is compared no more, since what
//         follows is no answer to what the shadow would have said
// asks    nothing: where the shadow would first ask what really is not asked, that is the difference (`ask.recipient`)
// memory  off: none, and a decision costs the test of a pointer. On: about 70 octets a session, from its first decision on;
//         where there is no memory for that, the session is not compared
// lives   as long as its loop; used on its thread alone
// errors  none
// source  docs/decisions/0014-a-shadow.md
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "engine/output.hpp"
#include "server/shadow/shadow_policy.hpp"

namespace postern::server {

class Client;

class ShadowSessions {
 public:
  [[nodiscard]] bool is_on() const { return shadow_ != nullptr; }
  // Null: none. Sessions that began before are compared no more. `shadow` lives until the next call.
  void use(const Shadow* shadow) {
    sessions_.clear();
    shadow_ = shadow;
  }
  // Where it is on.
  void note(const Client& client, const engine::Note& note);
  void end(std::uint64_t session) { sessions_.erase(session); }

 private:
  struct Judged {
    spec::Guards guards;
    std::uint64_t databytes;
  };
  using Sessions = std::unordered_map<std::uint64_t, Judged>;  // by their number

  [[nodiscard]] bool begin(const Client& client, spec::Event& event);
  void tell(const Client& client, const engine::Step& step, observe::Would would) const;

  const Shadow* shadow_ = nullptr;
  Sessions sessions_;
  std::string rule_key_;
};

}  // namespace postern::server
