// One client from its greeting to its end: what postern-smtpd and postern-smtpd-tls share.
// in      a judged start, a transport, the arguments of the command line, and how the session opens
// out     the exit code of the program: 0 after QUIT, exit_exhausted when memory ran out, 1 otherwise
// memory  session and connection are allocated once; untouched buffers cost no page
// source  qmail-smtpd(8): exit codes; seed: GREETDELAY, DROP_PRE_GREET
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "daemon/connection.hpp"

namespace postern::daemon {

// Counters as a word of a command line: "errors=3,auth=2,unknown=1".
[[nodiscard]] std::string to_word(engine::Counters counters);
[[nodiscard]] engine::Counters counters_of(std::string_view word);

enum class Opening : std::uint8_t {
  greeting,        // the session begins here
  after_starttls,  // it began in clear; what remains of it are its counters
};

struct Client {
  const config::Start& start;
  std::span<char* const> arguments;
  base::Environment& environment;
  const observe::Journal& journal;
  Transport& transport;
  TlsStarter& tls;
  Opening opening = Opening::greeting;
  engine::Counters counters;
};

inline constexpr int exit_exhausted = 111;  // trouble that may pass, as tcpserver and its kin call it

[[nodiscard]] int serve(const Client& client);

// For a client without a session: a line of the log, and 421 where a transport can send it (not in a handshake).
// Allocates nothing.
void say_exhausted(const observe::Journal& journal, Transport* transport);

// SIGPIPE and SIGXFSZ ignored, and the home as the current folder. An unusable home is found by judge_start.
void enter_home(const base::Environment& environment, const observe::Journal& journal);

}  // namespace postern::daemon
