#include "loop/channel.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "base/departure.hpp"

namespace postern::loop {
namespace {

bool is_worth_a_retry(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Transfer transfer_of(ssize_t result, bool zero_is_end) {
  if (result > 0) return {Progress::done, static_cast<std::size_t>(result)};
  if (result == 0 && zero_is_end) return {Progress::closed, 0};
  return {result == 0 || is_worth_a_retry(errno) ? Progress::again : Progress::closed, 0};
}

// Of another session of this thread.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

int as_int(std::size_t octets) { return octets > INT_MAX ? INT_MAX : static_cast<int>(octets); }

}  // namespace

bool Channel::start_tls(const tls::Certificates& certificates) {
  tls_ = certificates.open_session(wire_);
  return tls_ != nullptr;
}

// Of each call that may read: what it finds out of the socket holds until its end.
void Channel::begin_input() {
  wire_.is_dry = false;
  forget_errors();
}

Transfer Channel::read(std::span<char> into) {
  if (tls_ == nullptr) return transfer_of(::recv(number(), into.data(), into.size(), 0), true);
  return read_records(into);
}

Transfer Channel::peek(std::span<char> into) const {
  return transfer_of(::recv(number(), into.data(), into.size(), MSG_PEEK), true);
}

// One record after the other, until there is no more or no room: then the socket is empty, as after a short read in clear.
// OpenSSL is not asked for what cannot be there: it would take a buffer for it, and wipe it.
Transfer Channel::read_records(std::span<char> into) {
  std::size_t octets = 0;
  begin_input();
  while (octets < into.size()) {
    const int got = SSL_read(tls_.get(), into.data() + octets, as_int(into.size() - octets));
    if (got <= 0) {
      const Progress progress = progress_of(got);
      has_ended_ = progress == Progress::closed;
      return octets == 0 ? Transfer{progress, 0} : Transfer{Progress::done, octets};
    }
    octets += static_cast<std::size_t>(got);
    if (!may_have_input()) break;
  }
  return {Progress::done, octets};
}

bool Channel::has_input() {
  char octet = 0;
  if (tls_ == nullptr) return ::recv(number(), &octet, 1, MSG_PEEK) > 0;
  begin_input();
  return SSL_peek(tls_.get(), &octet, 1) > 0;
}

bool Channel::has_left(std::string_view held) {
  if (tls_ == nullptr) return base::has_left_in_clear(number(), held);
  if (base::asks_to_end(held)) return false;
  if (has_failed_) return true;
  if (!base::has_ended(number())) return false;
  expect_end();
  char octet = 0;
  begin_input();
  const int got = SSL_peek(tls_.get(), &octet, 1);
  return got <= 0 && progress_of(got) == Progress::closed;
}

bool Channel::may_have_input() const { return !wire_.is_dry || SSL_has_pending(tls_.get()) != 0; }

bool Channel::wants_output() const { return tls_ != nullptr && SSL_want_write(tls_.get()) != 0; }

Transfer Channel::write(std::string_view octets, Leave leave) {
  if (octets.empty()) return {Progress::again, 0};
  const bool waits = leave == Leave::with_the_end;
  const int flags = MSG_NOSIGNAL | (waits ? MSG_MORE : 0);
  if (tls_ == nullptr) return transfer_of(::send(number(), octets.data(), octets.size(), flags), false);
  wire_.holds_back = waits;
  forget_errors();
  const int sent = SSL_write(tls_.get(), octets.data(), as_int(octets.size()));
  if (sent > 0) return {Progress::done, static_cast<std::size_t>(sent)};
  return {progress_of(sent), 0};
}

// A client that shuts its side without close_notify has ended as one that closes: what it sent whole is whole
// (RFC 5321 4.1.1.4: mail data has an end of its own).
Progress Channel::progress_of(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return Progress::again;
    case SSL_ERROR_SSL:
    case SSL_ERROR_SYSCALL: has_failed_ = true; break;
    default: break;
  }
  return Progress::closed;
}

Progress Channel::handshake() {
  begin_input();
  const int result = SSL_accept(tls_.get());
  if (result != 1) return progress_of(result);
  // An end without close_notify is an end: what came before it is answered. SMTP knows itself what is whole.
  SSL_set_options(tls_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Without tickets the client's Finished has no answer in TLS 1.3, and a client that leaves Nagle on sends its EHLO
  // only when the Finished has been acknowledged.
  const int on = 1;
  static_cast<void>(::setsockopt(number(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on));
  return Progress::done;
}

bool Channel::has_lost_client() {
  const unsigned long error = ERR_peek_error();
  return error == 0 ||
         (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

std::string Channel::take_failure() {
  if (!has_lost_client()) return "the TLS handshake failed: " + tls::take_tls_error();
  ERR_clear_error();
  return "the client left during the TLS handshake";
}

void Channel::end_output() {
  if (tls_ != nullptr && !has_failed_ && SSL_is_init_finished(tls_.get()) != 0) {
    forget_errors();
    wire_.holds_back = true;  // until the end of the stream, which is next
    SSL_shutdown(tls_.get());
  }
  ::shutdown(number(), SHUT_WR);
}

std::string_view Channel::tls_version() const { return tls_ == nullptr ? "" : SSL_get_version(tls_.get()); }

std::string_view Channel::tls_cipher() const { return tls_ == nullptr ? "" : SSL_get_cipher_name(tls_.get()); }

}  // namespace postern::loop
