// Octets over two descriptors as they come: a socket, the pipes of a TLS front end, or files when run by hand.
// in      descriptors that somebody else opened and closes, blocking or not; their flags are never changed, because
//         they may be shared with other processes
// errors  as in transport.hpp; SIGPIPE must be ignored by the program when the descriptor is a pipe
// source  RFC 5321 4.5.3.2; ucspi-tcp: the network is on descriptors 0 and 1
#pragma once

#include <chrono>

#include "base/departure.hpp"
#include "daemon/transport.hpp"

namespace postern::daemon {

// The moment at which a wait ends.
class Patience {
 public:
  explicit Patience(std::chrono::milliseconds from_now) : at_(std::chrono::steady_clock::now() + from_now) {}
  [[nodiscard]] std::chrono::milliseconds left() const;  // never negative

 private:
  std::chrono::steady_clock::time_point at_;
};

[[nodiscard]] ReadResult read_octets(int fd, std::span<char> into, const Patience& deadline);
[[nodiscard]] Io write_octets(int fd, std::string_view octets, std::chrono::milliseconds timeout);

// A reply must not wait for the acknowledgement of the one before (40 ms on Linux). No socket, no harm.
void disable_nagle(int fd);
// What has been read is acknowledged now, not 40 ms later: for when the client may wait for that and we say nothing.
void acknowledge(int fd);

class PlainTransport final : public Transport {
 public:
  PlainTransport(int read_fd, int write_fd, std::chrono::milliseconds timeout)
      : read_fd_(read_fd), write_fd_(write_fd), timeout_(timeout) {
    disable_nagle(write_fd);
  }
  [[nodiscard]] ReadResult read(std::span<char> into) override {
    return read_octets(read_fd_, into, Patience(timeout_));
  }
  [[nodiscard]] Io write(std::string_view octets) override { return write_octets(write_fd_, octets, timeout_); }
  [[nodiscard]] bool has_left(std::string_view held) override { return base::has_left_in_clear(read_fd_, held); }

 private:
  int read_fd_;
  int write_fd_;
  std::chrono::milliseconds timeout_;
};

}  // namespace postern::daemon
