// One connection of a process that may wait: connects, and carries the octets of a protocol until its request has ended.
// in      an address; a protocol that is busy; the moment at which the whole request must have ended
// out     a connected socket that does not block; the protocol, not busy any more
// bounds  no call outlasts its deadline, however slowly octets come
// errors  connect_stream() gives errno, ETIMEDOUT at its deadline; carry() reports to the protocol, by fail()
// source  connect(2), poll(2); socket(7): SO_SNDTIMEO bounds connect
#pragma once

#include <cstdint>
#include <expected>

#include "base/child.hpp"
#include "base/client_protocol.hpp"
#include "base/socket_address.hpp"

namespace postern::base {

[[nodiscard]] std::expected<Descriptor, int> connect_stream(const SocketAddress& address, unsigned max_seconds);

// before_each_word   what has come is read before anything is sent, so that a protocol hears early what answers nothing
enum class Listening : std::uint8_t { when_nothing_is_to_be_said, before_each_word };

// address   of the other side, for the log
void carry(ClientProtocol& protocol, const Descriptor& socket, Deadline end, std::string_view address,
           Listening listening = Listening::when_nothing_is_to_be_said);

// Whether nothing has come unasked: neither octets nor the end. An idle connection that is not quiet has
// died, or is about to.
[[nodiscard]] bool is_quiet(const Descriptor& socket);

// Says farewell, if that can be done without waiting, and closes.
void part(const ClientProtocol& protocol, Descriptor socket);

// Says farewell, and waits for the end of the other side: whether that came, and nothing before it.
[[nodiscard]] bool part_heard(const ClientProtocol& protocol, Descriptor socket, Deadline end);

}  // namespace postern::base
