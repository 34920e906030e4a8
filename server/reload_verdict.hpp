// `postern reload PID`: asks a server for a reload by SIGHUP, and learns whether it was done.
// way     the server knows from the signal which process asked (si_pid), and sends its verdict as one datagram to the socket
//         that this process listens on, in the abstract namespace. Nobody listens where the signal came from kill(1)
// in      the server's process id; the asker needs the right to signal it (the same user, or root)
// out     a verdict: done, refused, or nothing within `patience`; the sentence is that of the log
// trust   the kernel says who sent the datagram (SO_PASSCRED): only the server's word counts
// errors  Kind::unanswered, with a sentence
// source  sigaction(2), unix(7); systemd.service(5): ExecReload= is to wait until the reload is over
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/child.hpp"

namespace postern::server {

// The server's side: opened before a sandbox is entered, so that nothing is opened later.
class ReloadReporter {
 public:
  ReloadReporter();
  // asker   the process that sent the signal; 0: none, a file changed
  void report(pid_t asker, bool is_done, std::string_view sentence) const;

 private:
  base::Descriptor socket_;
};

struct ReloadVerdict {
  enum class Kind : std::uint8_t { done, refused, unanswered } kind;
  std::string sentence;
};
[[nodiscard]] ReloadVerdict ask_for_reload(pid_t server, std::chrono::seconds patience);

}  // namespace postern::server
