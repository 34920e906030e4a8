// A program that says whether a recipient is taken: RCPTCHECK of the original.
// in      its path (no search in PATH, no arguments), the client's environment with SENDER, RECIPIENT, HELO and USE_FD4=1
// out     exit code 100: refused for good, in the words that it wrote to descriptor 4, if any; 111: for now, and its words are for
//         the log; 120, 126, 127, a signal, no exec, too slow: nobody knows. Any other exit code: taken
// bounds  it is killed at the deadline, with all that it has started; of its words one printable line is kept (child_text.hpp)
// child   0 and 1 are /dev/null, never the client; 2 is the log, or what the caller has for it; 4 is the pipe; nothing else is open
// errors  recipient_unknowable, and a sentence for the log
// source  jms1 patch 7.08: RCPTCHECK; deviation D34
#pragma once

#include <string>

#include "base/child.hpp"
#include "base/environment.hpp"
#include "spec/policy_row.hpp"

namespace postern::ask {

struct ProgramVerdict {
  spec::Event event = spec::Event::recipient_unknowable;
  std::string words{};    // of recipient_program_refused, never empty there, and of recipient_program_deferred
  std::string problem{};  // why nobody knows
};

// Blocks until the program has ended, or the deadline.
[[nodiscard]] ProgramVerdict ask_recipient_program(const std::string& path, const base::Environment& environment,
                                                   base::Deadline deadline, int standard_error = 2);

}  // namespace postern::ask
