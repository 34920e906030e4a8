// Handing a connection to postern-smtpd-tls, the program beside this one that holds the TLS library; and whether that can
// work, asked before a client is offered it.
// in      the path this program was started by, taken before any chdir; the words of the sibling's command line
// out     exec() only returns on failure: the errno. On success the sibling runs in this process, with descriptors 0, 1
//         and 2 and the environment, and without a single octet that was read ahead (RFC 3207 4.2)
// errors  the caller logs std::strerror of the result and closes; the client has had its 220 and may not get cleartext.
//         absence(), objection() and lack_of_memory_for_tls() say in a sentence what is wrong; empty: nothing
// source  RFC 3207 4.2; deviations D1, D12; docs/decisions/0002-tls-in-a-sibling.md
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/environment.hpp"

namespace postern::tls {

inline constexpr std::string_view sibling_name = "postern-smtpd-tls";

enum class TlsStart : std::uint8_t {
  starttls,  // after the 220 of STARTTLS
  implicit,  // before the first octet (SSL=1)
};

class TlsSibling {
 public:
  // own_path    absolute, whatever directory the program goes to later; empty when the kernel does not say
  // arguments   of this program without its name: hostname, checkprogram, subprogram...
  TlsSibling(std::string own_path, std::span<char* const> arguments)
      : own_path_(std::move(own_path)), arguments_(arguments) {}

  // Why it cannot be executed, if so. Costs one access(2).
  [[nodiscard]] std::string absence() const;
  // That it cannot load its context or cannot shake hands, in memory. Costs a process: some milliseconds.
  [[nodiscard]] std::string objection(const base::Environment& environment) const;
  // counters    an opaque word, e.g. "errors=3,auth=2,unknown=1": what a client must not shed by asking for TLS
  [[nodiscard]] int exec(TlsStart start, const std::string& counters) const;

 private:
  [[nodiscard]] std::string path() const;

  std::string own_path_;
  std::span<char* const> arguments_;
};

[[nodiscard]] std::string remember_own_path();

// That a limit of this process (softlimit, ulimit, prlimit) leaves the sibling too little memory.
[[nodiscard]] std::string lack_of_memory_for_tls();

}  // namespace postern::tls
