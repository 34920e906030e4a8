// What a session reads from and writes to: one client, in clear or inside TLS.
// read    waits at most the transport's timeout for the first octet, then gives what is there
// write   sends all of the octets; waits at most the timeout for each bit of progress
// views   the octets belong to the caller; a transport keeps none after a call returns
// errors  Io::closed (end of file or any error: the client is gone) and Io::timed_out, after which a write may
//         still send a last reply; allocates nothing in clear
// source  RFC 5321 4.5.3.2; deviation D16
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace postern::daemon {

enum class Io : std::uint8_t { done, closed, timed_out };

struct ReadResult {
  Io io;
  std::size_t octets;  // more than 0 exactly when io is done
};

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  [[nodiscard]] virtual ReadResult read(std::span<char> into) = 0;
  [[nodiscard]] virtual Io write(std::string_view octets) = 0;

  // Octets that the next read gives without looking at the network: more than a poll of the descriptor can tell.
  [[nodiscard]] virtual bool has_unread() const { return false; }
  // Whether the client has left (departure.hpp); held: what was read and is not yet obeyed. Does not wait.
  [[nodiscard]] virtual bool has_left(std::string_view held) {
    static_cast<void>(held);
    return false;
  }
  // The last word: nothing may be written after it. Does not wait.
  virtual void finish() {}

  // As the Received line names them; empty in clear. They live as long as the transport.
  [[nodiscard]] virtual std::string_view tls_version() const { return {}; }
  [[nodiscard]] virtual std::string_view tls_cipher() const { return {}; }
};

}  // namespace postern::daemon
