// What a judge may use to talk to a server: names, addresses, a login; and how far it may go.
// in      what the caller of `postern judge` gave
// lives   a plain value; who owns it wipes the password
// source  RFC 5321 3.3, 4.1.1.1; RFC 4616
#pragma once

#include <string>

namespace postern::audit {

struct Surroundings {
  std::string client_name = "judge.example.net";  // of EHLO
  std::string reverse_path;                       // empty: <>
  std::string own_recipient, foreign_recipient;   // of the server's domains, and of another; empty: none is known
  std::string user, password;                     // both empty: there is no login
  bool may_send = false;                          // complete a message to own_recipient

  [[nodiscard]] bool has_login() const { return !user.empty(); }
};

}  // namespace postern::audit
