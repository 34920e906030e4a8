// One trial, played: what the server answered at each step, and what was said as a dialogue.
// in      a Trial without hindrance; a ServerTalk that is closed; how long a reply may take
// out     TrialRecord; the connection is closed again, and no message was completed unless the trial is one of --send
// errors  TrialRecord::trouble: nothing was learned, for no session came about
// source  RFC 5321 4.2; RFC 3207 4.2 (octets in clear after STARTTLS)
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "audit/judge/server_talk.hpp"
#include "audit/judge/trial_plan.hpp"

namespace postern::audit {

using Capabilities = std::vector<std::string>;  // the lines of EHLO's reply after the first, in upper case

struct PlayedStep {
  Answer answer;
  std::string trouble;  // the handshake failed, or the act cannot be done here
  bool fits = false;    // the class of the code is that of the table
};

struct TrialRecord {
  std::vector<PlayedStep> played;      // as far as it went
  std::optional<bool> is_closed;       // after the tested act; none: it was not looked at
  std::optional<Capabilities> listed;  // what EHLO lists in the state before the tested act
  std::size_t lines_at_once = 0;       // of the dialogue, to the end of the tested act
  std::vector<std::string> dialogue;   // C: and S: lines
  std::string trouble;

  [[nodiscard]] bool reached(const Trial& trial) const { return trouble.empty() && played.size() > trial.tested; }
  // As the table has it, as far as can be seen.
  [[nodiscard]] bool is_as_expected(const Trial& trial) const;
};

[[nodiscard]] TrialRecord play(const Trial& trial, const Surroundings& surroundings, ServerTalk& talk,
                               std::chrono::milliseconds patience);

}  // namespace postern::audit
