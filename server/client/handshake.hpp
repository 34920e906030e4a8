// The handshake of TLS, before the greeting or after STARTTLS.
// out     how it ended, as soon as it has: handshake_done, handshake_failed, eof; counted, and in the log
// errors  no certificate, no memory: handshake_failed
// source  RFC 3207 4; deviation D16
#pragma once

#include <optional>

#include "server/client/client.hpp"
#include "server/client/stream.hpp"
#include "spec/policy_row.hpp"

namespace postern::server {

[[nodiscard]] std::optional<spec::Event> begin_handshake(const Client& client, Stream& stream);
[[nodiscard]] std::optional<spec::Event> continue_handshake(const Client& client, Stream& stream);
// Nothing waits for it any more.
void give_up_handshake(const Client& client);
[[nodiscard]] base::Interval longest_handshake(const Client& client);

}  // namespace postern::server
