// The octets of one client, in clear or inside TLS; no call ever waits.
// in      a socket that does not block; a TLS session when encryption begins
// out     Transfer: how many octets went, and whether to go on (done), to come back when the socket says so (again), or
//         that the peer is gone (closed)
// lives   closes the socket when it dies
// errors  closed, and a sentence for the log after a failed handshake
// source  RFC 3207 4; RFC 8446 6.1; deviation D16
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/child.hpp"
#include "tls/certificates.hpp"

namespace postern::loop {

enum class Progress : std::uint8_t { done, again, closed };

// When what is written leaves: with_the_end, where end_output() follows before anything is waited for. One packet takes the
// last reply, close_notify and the end of the stream then.
enum class Leave : std::uint8_t { at_once, with_the_end };

struct Transfer {
  Progress progress;
  std::size_t octets;  // more than 0 exactly when `done`
};

class Channel {
 public:
  explicit Channel(base::Descriptor socket) : wire_{.socket = std::move(socket)} {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  void open(base::Descriptor socket) { wire_.socket = std::move(socket); }

  [[nodiscard]] Transfer read(std::span<char> into);
  [[nodiscard]] Transfer write(std::string_view octets, Leave leave = Leave::at_once);
  // What read() would give, in clear; it stays there.
  [[nodiscard]] Transfer peek(std::span<char> into) const;
  // An end of the stream is there: from now on a short read is not the last one.
  void expect_end() { wire_.is_ending = true; }
  // Whether anything has come; takes nothing.
  [[nodiscard]] bool has_input();
  // Whether the next read may give the end of the stream, though the last one gave less than it was asked for.
  [[nodiscard]] bool has_end_in_hand() const { return has_ended_; }
  // Whether the client has left (lib/base/departure.hpp); held: what was read and is not yet obeyed.
  [[nodiscard]] bool has_left(std::string_view held);
  // Whether a read after the handshake may give what has come with it.
  [[nodiscard]] bool may_have_input() const;
  // Whether a handshake waits for room to write.
  [[nodiscard]] bool wants_output() const;

  [[nodiscard]] bool start_tls(const tls::Certificates& certificates);  // false: out of memory
  [[nodiscard]] Progress handshake();
  // Of the handshake that has just failed: whether it did because the client had left, and in a sentence.
  [[nodiscard]] static bool has_lost_client();
  [[nodiscard]] static std::string take_failure();

  // Nothing more will be said: close_notify inside TLS, and the end of the stream.
  void end_output();
  void close() { wire_.socket.close(); }

  [[nodiscard]] int number() const { return wire_.socket.number(); }
  [[nodiscard]] bool has_tls() const { return tls_ != nullptr; }
  [[nodiscard]] std::string_view tls_version() const;
  [[nodiscard]] std::string_view tls_cipher() const;

 private:
  void begin_input();
  [[nodiscard]] Transfer read_records(std::span<char> into);
  [[nodiscard]] Progress progress_of(int result);

  tls::Wire wire_;
  tls::TlsSession tls_;
  bool has_failed_ = false;  // OpenSSL forbids any further word
  bool has_ended_ = false;   // inside TLS: close_notify came after the last octets
};

}  // namespace postern::loop
