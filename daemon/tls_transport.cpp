// OpenSSL talks to a BIO of ours rather than to the descriptors. What it writes is gathered and leaves in one write
// when it wants to read, or when a call is over: a flight of five records is one segment, and no record waits for an
// acknowledgement. What it reads waits with a deadline, so that SSL_accept and SSL_read block and yet return in time.
#include "daemon/tls_transport.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <new>
#include <utility>

namespace postern::daemon {
namespace {

using std::chrono::milliseconds;

// Whether that is among the reasons why OpenSSL failed; they are taken.
bool is_out_of_memory() {
  bool is_among_them = false;
  while (const unsigned long error = ERR_get_error())
    is_among_them = is_among_them || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
  return is_among_them;
}

TlsWire& wire_of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

Io send_unsent(TlsWire& wire, milliseconds timeout) {
  const Io sent = write_octets(wire.descriptors.write, wire.unsent, timeout);
  wire.unsent.clear();
  return sent;
}

int wire_read(BIO* bio, char* into, int octets) {
  TlsWire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  wire.io = send_unsent(wire, wire.deadline.left());
  if (wire.io != Io::done) return -1;
  const auto got = read_octets(wire.descriptors.read, {into, static_cast<std::size_t>(octets)}, wire.deadline);
  wire.io = got.io;
  if (got.io == Io::timed_out) BIO_set_retry_read(bio);  // no failure of TLS: a 421 can still be written
  if (got.io == Io::closed) return 0;
  return got.io == Io::done ? static_cast<int>(got.octets) : -1;
}

int wire_write(BIO* bio, const char* octets, int count) {
  wire_of(bio).unsent.append(octets, static_cast<std::size_t>(count));
  return count;
}

long wire_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;  // not yet: see above
  if (command == BIO_CTRL_EOF) return wire_of(bio).io == Io::closed ? 1 : 0;
  return 0;
}

bool attach(SSL* session, const BIO_METHOD* method, TlsWire& wire) {
  BIO* const bio = BIO_new(method);
  if (bio == nullptr) return false;
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(session, bio, bio);  // takes it over
  return true;
}

}  // namespace

void TlsTransport::MethodDeleter::operator()(bio_method_st* method) const { BIO_meth_free(method); }

TlsTransport::TlsTransport(Descriptors descriptors, TlsTimeouts timeouts)
    : timeouts_(timeouts),
      wire_{.descriptors = descriptors, .deadline = Patience(timeouts.handshake), .unsent = {}},
      method_(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire")) {
  if (method_ == nullptr) return;
  BIO_meth_set_read(method_.get(), wire_read);
  BIO_meth_set_write(method_.get(), wire_write);
  BIO_meth_set_ctrl(method_.get(), wire_control);
}

TlsTransport::Accepted TlsTransport::accept(const tls::TlsContext& context, Descriptors descriptors,
                                            TlsTimeouts timeouts) {
  disable_nagle(descriptors.write);
  std::unique_ptr<TlsTransport> transport(new TlsTransport(descriptors, timeouts));
  transport->session_ = context.open_session();
  SSL* const session = transport->session_.get();
  if (session == nullptr || !transport->method_ || !attach(session, transport->method_.get(), transport->wire_)) {
    return std::unexpected(HandshakeFailure{Io::closed, "out of memory"});
  }
  ERR_clear_error();
  if (SSL_accept(session) != 1) {
    HandshakeFailure failure = transport->explain();
    (void)send_unsent(transport->wire_, milliseconds(0));  // the alert, if there is room
    return std::unexpected(std::move(failure));
  }
  if (const Io sent = transport->flush(transport->wire_.deadline.left()); sent != Io::done) {
    return std::unexpected(HandshakeFailure{sent, "the client did not read the end of the TLS handshake"});
  }
  // In TLS 1.3 the client's Finished has no answer, as we give no tickets. A client that leaves Nagle on sends its EHLO
  // only when the Finished has been acknowledged.
  acknowledge(descriptors.read);
  return transport;
}

HandshakeFailure TlsTransport::explain() const {
  if (wire_.io == Io::timed_out) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeouts_.handshake).count();
    return {Io::timed_out, "the TLS handshake was not over after " + std::to_string(seconds) + " seconds"};
  }
  if (wire_.io == Io::closed) return {Io::closed, "the client closed the connection during the TLS handshake"};
  return {Io::closed, "the TLS handshake failed: " + tls::take_tls_error()};
}

Io TlsTransport::flush(milliseconds timeout) {
  const Io sent = send_unsent(wire_, timeout);
  has_failed_ = has_failed_ || sent != Io::done;
  return sent;
}

ReadResult TlsTransport::read(std::span<char> into) {
  if (has_failed_) return {Io::closed, 0};
  wire_.deadline = Patience(timeouts_.session);
  ERR_clear_error();
  std::size_t got = 0;
  if (SSL_read_ex(session_.get(), into.data(), into.size(), &got) == 1) return {Io::done, got};
  const int error = SSL_get_error(session_.get(), 0);
  if (error == SSL_ERROR_WANT_READ) return {Io::timed_out, 0};
  if (error == SSL_ERROR_ZERO_RETURN) return {Io::closed, 0};  // close_notify: we may still write
  const bool has_memory = !is_out_of_memory();
  (void)flush(milliseconds(0));  // an alert
  has_failed_ = true;
  if (!has_memory) throw std::bad_alloc();  // or else the log would say that the client has closed
  return {Io::closed, 0};
}

Io TlsTransport::write(std::string_view octets) {
  if (has_failed_) return Io::closed;
  if (octets.empty()) return Io::done;
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(session_.get(), octets.data(), octets.size(), &written) == 1) return flush(timeouts_.session);
  has_failed_ = true;
  return Io::closed;
}

bool TlsTransport::has_unread() const { return !has_failed_ && SSL_has_pending(session_.get()) == 1; }

// To look ahead may end the TLS session, so that comes last.
bool TlsTransport::has_left(std::string_view held) {
  if (has_failed_ || !base::has_ended(wire_.descriptors.read) || base::asks_to_end(held)) return false;
  wire_.deadline = Patience(milliseconds(0));
  ERR_clear_error();
  char octet = 0;
  std::size_t got = 0;
  if (SSL_peek_ex(session_.get(), &octet, 1, &got) == 1) return false;
  const int error = SSL_get_error(session_.get(), 0);
  has_failed_ = has_failed_ || (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN);
  return error != SSL_ERROR_WANT_READ;
}

void TlsTransport::finish() {
  if (has_failed_) return;
  ERR_clear_error();
  (void)SSL_shutdown(session_.get());
  (void)flush(milliseconds(0));
  has_failed_ = true;
}

std::string_view TlsTransport::tls_version() const { return SSL_get_version(session_.get()); }

std::string_view TlsTransport::tls_cipher() const { return SSL_get_cipher_name(session_.get()); }

}  // namespace postern::daemon
