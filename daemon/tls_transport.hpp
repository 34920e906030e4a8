// One client inside TLS, server side, over the same two descriptors as in clear.
// in      TlsContext, which may die before the transport
// accept  the whole handshake; waits at most handshake_timeout for all of it together
// read    gives octets of one record; the timeout is for the whole record, not for each of its octets
// write   one write of the descriptor for all of a reply; a flight of the handshake is one write too
// errors  HandshakeFailure with a printable sentence for the log; later as in transport.hpp
// source  RFC 3207 4; RFC 8446; RFC 5246; deviations D1, D16
#pragma once

#include <expected>
#include <memory>

#include "daemon/plain_transport.hpp"
#include "tls/context.hpp"

struct bio_method_st;

namespace postern::daemon {

struct HandshakeFailure {
  Io io;  // closed or timed_out; never done
  std::string reason;
};

struct Descriptors {
  int read;
  int write;
};

struct TlsTimeouts {
  std::chrono::milliseconds handshake;
  std::chrono::milliseconds session;
};

// Where OpenSSL reads and writes: reads wait with a deadline, writes gather until somebody has to wait.
struct TlsWire {
  Descriptors descriptors;
  Patience deadline;
  std::string unsent;
  Io io = Io::done;  // how the last transfer ended
};

class TlsTransport final : public Transport {
 public:
  using Accepted = std::expected<std::unique_ptr<TlsTransport>, HandshakeFailure>;
  [[nodiscard]] static Accepted accept(const tls::TlsContext& context, Descriptors descriptors, TlsTimeouts timeouts);

  [[nodiscard]] ReadResult read(std::span<char> into) override;
  [[nodiscard]] Io write(std::string_view octets) override;
  [[nodiscard]] bool has_unread() const override;
  [[nodiscard]] bool has_left(std::string_view held) override;
  void finish() override;  // close_notify; does not wait for the client's
  [[nodiscard]] std::string_view tls_version() const override;
  [[nodiscard]] std::string_view tls_cipher() const override;

 private:
  struct MethodDeleter {
    void operator()(bio_method_st* method) const;
  };
  TlsTransport(Descriptors descriptors, TlsTimeouts timeouts);
  [[nodiscard]] HandshakeFailure explain() const;
  [[nodiscard]] Io flush(std::chrono::milliseconds timeout);

  TlsTimeouts timeouts_;
  TlsWire wire_;  // OpenSSL holds its address
  std::unique_ptr<bio_method_st, MethodDeleter> method_;
  std::unique_ptr<ssl_st, tls::TlsContext::Deleter> session_;  // dies before what it uses
  bool has_failed_ = false;  // OpenSSL forbids any further word, close_notify included
};

}  // namespace postern::daemon
