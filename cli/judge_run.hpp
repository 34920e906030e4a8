// A judgement from its plan to its findings: plays the trials one after the other, at a bounded rate, for a bounded time.
// in      the server by a talk; what it is supposed to be; Surroundings; JudgeBounds
// out     a ServerJudgement and its Conclusion
// errors  ServerJudgement::stopped: a sentence why not all was played; what was not has it as its reason
// source  RFC 5321 4.2.1: 421 is answered by waiting
#pragma once

#include <string>

#include "audit/judge/report.hpp"

namespace postern::cli {

struct JudgeBounds {
  double connections_per_second = 4;
  unsigned reply_seconds = 10;
  unsigned total_seconds = 900;
};

[[nodiscard]] audit::ServerJudgement judge_server(const audit::Policy& policy, const audit::Configuration& supposed,
                                                  const audit::Surroundings& surroundings, const JudgeBounds& bounds,
                                                  audit::ServerTalk& talk);

// 0 what was tried holds, 1 something is broken, 2 it could not be judged to its end.
[[nodiscard]] audit::Conclusion conclude(const audit::ServerJudgement& judgement, bool is_strict);

}  // namespace postern::cli
