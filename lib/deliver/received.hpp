// The trace fields that go before a message.
// in      TraceFacts: what is known of the client; its views may hold any octet and are not kept
// out     "Received: from HOST (HELO x) (INFO@IP)\n  by LOCAL with PROTO id ID; D Mon YYYY HH:MM:SS -0000\n", lines end with LF
// bounds  every name is cut at spec::max_host_octets, so that a line has less than 998 octets (RFC 5322 2.1.1)
// errors  none: an octet that is not surely harmless becomes `?`
// source  RFC 5321 4.4, 4.1.2; RFC 3848 (ESMTPS, ESMTPA, ESMTPSA); qmail-smtpd: safeput
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "deliver/message_id.hpp"
#include "engine/trace.hpp"

namespace postern::deliver {

struct TraceFacts {
  std::string_view remote_host;  // TCPREMOTEHOST; empty: unknown
  std::string_view remote_info;  // TCPREMOTEINFO, or the authenticated user; empty: none
  std::string_view remote_ip;
  std::string_view local_host;
  engine::SessionTrace session;
  std::string_view tls_version;  // "TLSv1.3"; empty when another program does TLS and does not say
  std::string_view tls_cipher;
};

// "Return-Path: <reverse-path>\n", for a final delivery.
[[nodiscard]] std::string return_path_field(std::string_view reverse_path);

// "Delivered-To: user@example.org\n": whose mailbox it is, as qmail-local writes it.
[[nodiscard]] std::string delivered_to_field(std::string_view recipient);

// id   without a number it is only the time
[[nodiscard]] std::string received_field(const TraceFacts& facts, MessageId id);

// "1 Jan 1970 00:00:00 -0000", without a locale. RFC 5322 3.3: -0000 says nothing about where we are.
[[nodiscard]] std::string mail_date(std::int64_t unix_time);

}  // namespace postern::deliver
