// What systemd hands to a service, and the notices that it expects. Speaks the protocol itself: it is two variables and one
// datagram, and libsystemd would bring the journal, compression and cryptography along.
// in      LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, NOTIFY_SOCKET, WATCHDOG_PID, WATCHDOG_USEC of the environment
// out     listening sockets with their names; notices
// errors  a sentence with place and remedy for sockets; errno as a value for notices, 0 for none, also when no systemd listens
// source  sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.hpp"

namespace postern::server {

using Getenv = const char* (*)(const char* name);  // as ::getenv

struct InheritedSocket {
  base::Descriptor socket;  // close-on-exec, and above those that the programs we run expect (3, 4, 6)
  std::string name;         // FileDescriptorName= of the unit: smtp, submission, submissions; "unknown" when not given
};

// Empty when the variables are not meant for this process. Every socket must be a listening stream.
[[nodiscard]] std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets(Getenv environment);

// How often systemd expects a sign of life; half of it is a good interval.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_patience(Getenv environment);

// Unsets all of these variables: they are not for the programs that we run.
void forget_systemd_variables();

class Notifier {
 public:
  // Connects at once: after chroot the path of the socket is out of reach. Without NOTIFY_SOCKET every notice is done.
  explicit Notifier(Getenv environment);

  [[nodiscard]] int problem() const { return problem_; }  // errno of the start: why no notice will arrive

  int ready();
  int reloading();  // ready() must follow
  int stopping();
  int watchdog();
  int status(std::string_view sentence);  // for `systemctl status`; a line end in it becomes a space

 private:
  int send(std::string_view notice);

  base::Descriptor socket_;
  int problem_ = 0;
};

}  // namespace postern::server
