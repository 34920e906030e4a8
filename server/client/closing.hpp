// The end of a connection whose conversation is over: the last reply leaves, and what the client still sends is read for a
// while, since a reset would overtake the reply when octets of the client are unread.
// out     whether all of it is done
// errors  none: a client that goes first is done, too
// source  RFC 5321 4.1.1.10; RFC 1122 4.2.2.13
#pragma once

#include <chrono>
#include <span>

#include "server/client/stream.hpp"

namespace postern::server {

class Closing {
 public:
  static constexpr std::chrono::seconds longest_last_reply{10};
  static constexpr std::chrono::seconds longest_draining{2};  // so that the client receives it

  [[nodiscard]] bool is_draining() const { return is_draining_; }
  void drain_from_now_on(Stream& stream) {
    stream.channel().end_output();
    is_draining_ = true;
  }
  // Throws away what comes, into `room`.
  [[nodiscard]] static bool drain(Stream& stream, std::span<char> room) {
    for (std::size_t drained = 0; drained < most_drained;) {
      const loop::Transfer got = stream.channel().read(room);
      if (got.progress == loop::Progress::again) return false;
      if (got.progress == loop::Progress::closed) break;
      drained += got.octets;
    }
    return true;
  }

 private:
  static constexpr std::size_t most_drained = std::size_t{1} << 20U;
  bool is_draining_ = false;
};

}  // namespace postern::server
