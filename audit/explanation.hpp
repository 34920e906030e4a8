// What one configuration means to a client: judged at the start, in clear and in TLS, before and after AUTH.
// in      a configuration
// out     Explanation: data; write it as text or JSON (audit/explanation_text.hpp, cli/explanation_json.hpp)
// how     every entry is a decision of the generated table in a state that a session can reach; nothing is judged here
// source  spec/policy.toml; seed: FORCE_TLS, AUTH, REQUIRE_AUTH
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/configuration.hpp"
#include "audit/policy.hpp"

namespace postern::audit {

// What a client wants, and the decision that grants or refuses it.
struct Gate {
  std::string name;  // `MAIL`
  bool is_open = false;
  Decision decision;  // the one that refused, or the last one
};

// The same channel, the same authentication: what is advertised and what is granted.
struct Situation {
  std::string name;                     // `in clear`
  std::string channel, authentication;  // values of those states
  std::vector<std::string> ehlo;        // lines of the reply
  std::vector<Gate> gates;

  [[nodiscard]] const Gate& gate(std::string_view gate_name) const;
};

enum class Verdict : std::uint8_t { refused, dead, live };
[[nodiscard]] std::string_view name_of(Verdict verdict);

struct Explanation {
  Configuration configuration;
  Decision start;
  Verdict verdict = Verdict::live;
  bool password_in_clear = false;     // a password can be asked for, or sent and judged, on a clear channel
  bool mail_in_clear = false;         // a message can be handed over that crossed in clear
  bool mail_from_strangers = false;   // without AUTH, to our own domains, in clear: what a public MX must do
  bool relays_for_strangers = false;  // without AUTH, to any domain
  std::vector<Situation> situations;  // only those that a session can reach
  std::vector<spec::Rule> rules;      // that decide in some session, counted facts included

  [[nodiscard]] bool is_live() const { return verdict == Verdict::live; }
  [[nodiscard]] const Situation* situation(std::string_view channel, std::string_view authentication) const;
};

[[nodiscard]] Explanation explain(const Policy& policy, const Configuration& configuration);

// One line: may a password cross in clear, and why.
[[nodiscard]] std::string password_sentence(const Policy& policy, const Explanation& explanation);
// A few sentences: the start, then each situation.
[[nodiscard]] std::vector<std::string> prose_of(const Policy& policy, const Explanation& explanation);

}  // namespace postern::audit
