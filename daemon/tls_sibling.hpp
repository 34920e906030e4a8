// Handing a connection to postern-smtpd-tls, the program beside this one that holds the TLS library.
// in      the path this program was started by, taken before any chdir; the words of the sibling's command line
// out     only on failure: the errno of the exec. On success the sibling runs in this process, with descriptors 0, 1
//         and 2 and the environment, and without a single octet that was read ahead (RFC 3207 4.2)
// errors  the caller logs std::strerror of the result and closes; the client has had its 220 and may not get cleartext
// source  RFC 3207 4.2; deviation D1; docs/decisions/0002-tls-in-a-sibling.md
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace postern::daemon {

inline constexpr std::string_view sibling_name = "postern-smtpd-tls";

enum class TlsStart : std::uint8_t {
  starttls,  // after the 220 of STARTTLS
  implicit,  // before the first octet (SSL=1)
};

// Absolute, whatever directory the program goes to later; empty when the kernel does not tell.
[[nodiscard]] std::string remember_own_path();

// counters    an opaque word, e.g. "errors=3,auth=2": what a client must not shed by asking for TLS
// arguments   those of this program without its name: hostname, checkprogram, subprogram...
[[nodiscard]] int exec_tls_sibling(const std::string& own_path, TlsStart start, const std::string& counters,
                                   std::span<char* const> arguments);

}  // namespace postern::daemon
