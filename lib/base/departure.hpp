// Whether a client that has ended its side of the connection still wants its message.
// rule    deviation D26: an end, or a reset, before anything began to make the message durable withdraws it, unless QUIT
//         stands among the octets that the client sent after the message. `printf ... | nc -N` says QUIT and shuts its
//         side, and wants the message stored; a client that has lost patience closes, and will send it again
// limits  what cannot be seen is taken for QUIT, so that nothing is lost: octets after the first peek_octets, and inside
//         TLS those that stand in records not yet read. A client whose end is not noticed (no route, a pipe before us)
//         counts as there
// source  RFC 1047; RFC 5321 4.1.1.10; Postfix stores such messages, and so does the original
#pragma once

#include <cstddef>
#include <string_view>

namespace postern::base {

inline constexpr std::size_t peek_octets = std::size_t{16} * 1024;

// unread   all that came after the message; whole lines and a last one that may be partial
[[nodiscard]] bool asks_to_end(std::string_view unread);

// descriptor   a socket
[[nodiscard]] bool has_ended(int descriptor);

// held   octets taken off the socket already, and not yet obeyed. The socket keeps what it has
[[nodiscard]] bool has_left_in_clear(int descriptor, std::string_view held);

}  // namespace postern::base
