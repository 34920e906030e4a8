// A check program in the manner of checkpassword: it reads descriptor 3 and answers by its exit code.
// in      the arguments after our own name: hostname checkprogram subprogram ...; at most 512 octets of credentials
// out     0: accepted. 2, 111, 126, 127, a signal, no exec, too slow: broken. Any other exit code: rejected
// lives   the arguments and the environment live as long as the CheckProgram; the program is killed after max_seconds
// child   0 and 1 are /dev/null, never the client; 2 is the log, or what the caller has for it; 3 is the pipe; nothing else is open
// source  cr.yp.to/checkpwd/interface.html; deviation D7 (the original: any exit but 0 is 535)
#pragma once

#include <cstddef>

#include "ask/credentials.hpp"
#include "base/environment.hpp"

namespace postern::ask {

inline constexpr std::size_t max_check_octets = 512;  // checkpassword interface

class CheckProgram final : public Backend {
 public:
  // `argv` is checkprogram subprogram ... and a null pointer.
  CheckProgram(char* const* argv, const base::Environment& environment, unsigned max_seconds, int standard_error = 2)
      : argv_(argv), environment_(environment), max_seconds_(max_seconds), standard_error_(standard_error) {}
  [[nodiscard]] CheckResult check(const Credentials& credentials, std::uint64_t now_seconds) override;

 private:
  char* const* argv_;
  const base::Environment& environment_;
  unsigned max_seconds_;
  int standard_error_;
};

}  // namespace postern::ask
