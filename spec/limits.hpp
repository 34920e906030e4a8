// Every number that bounds a session, with its unit and source. Nothing here is decided anywhere else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace postern::spec {

inline constexpr std::size_t max_command_line_octets = 2048;  // deviation D6; RFC 5321 4.5.3.1.4 wants at least 512
inline constexpr std::size_t max_auth_line_octets = 12288;    // RFC 4954 4
inline constexpr std::size_t max_address_octets = 899;        // original; RFC 5321 4.5.3.1.3 wants at least 256
inline constexpr std::size_t max_recipients = 1000;           // deviation D6; RFC 5321 4.5.3.1.8 wants at least 100
inline constexpr std::size_t max_recipient_octets =
    std::size_t{96} * 1024;                             // deviation D6: all forward-paths of one transaction
inline constexpr std::size_t max_host_octets = 255;     // RFC 5321 4.5.3.1.2; also of the client's HELO name kept
inline constexpr std::size_t max_verdict_octets = 255;  // qmail-queue(8): custom text

inline constexpr std::uint32_t max_errors = 20;         // deviation D6: since the last accepted message
inline constexpr std::uint32_t max_auth_attempts = 10;  // deviation D7
inline constexpr std::uint32_t max_hops = 100;          // original; RFC 5321 6.3
inline constexpr std::uint64_t max_discarded_octets = 64ULL * 1024 * 1024;  // deviations D4, D6

inline constexpr unsigned auth_failure_delay_seconds = 2;  // deviation D7
inline constexpr unsigned default_timeout_seconds = 1200;  // qmail-control(5): timeoutsmtpd
inline constexpr unsigned max_handshake_seconds =
    120;                                           // deviation D16: a whole TLS handshake, if timeoutsmtpd is not less
inline constexpr unsigned max_check_seconds = 60;  // deviation D7: how long a check program may take
inline constexpr unsigned max_queue_seconds = 86400;  // qmail-queue(8): its own alarm

}  // namespace postern::spec
