#include "tls/wire.hpp"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace postern::tls {
namespace {

bool is_worth_a_retry(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

int read(BIO* bio, char* into, int octets) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  if (wire.is_dry) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const auto got = static_cast<int>(::recv(wire.socket.number(), into, static_cast<std::size_t>(octets), 0));
  if (got < 0 && is_worth_a_retry(errno)) BIO_set_retry_read(bio);
  wire.is_dry = got > 0 ? got < octets && !wire.is_ending : got < 0 && errno != EINTR;
  wire.has_ended = got == 0;
  return got;
}

int write(BIO* bio, const char* from, int octets) {
  const Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  const int flags = MSG_NOSIGNAL | (wire.holds_back ? MSG_MORE : 0);
  const auto sent = static_cast<int>(::send(wire.socket.number(), from, static_cast<std::size_t>(octets), flags));
  if (sent < 0 && is_worth_a_retry(errno)) BIO_set_retry_write(bio);
  return sent;
}

long control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return wire_of(bio).has_ended ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;  // nothing is kept here
}

}  // namespace

void WireMethod::Deleter::operator()(bio_method_st* method) const { BIO_meth_free(method); }

WireMethod::WireMethod() : method_(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire")) {
  if (method_ == nullptr) return;
  BIO_meth_set_read(method_.get(), read);
  BIO_meth_set_write(method_.get(), write);
  BIO_meth_set_ctrl(method_.get(), control);
}

bool WireMethod::join(ssl_st& session, Wire& wire) const {
  BIO* const bio = BIO_new(method_.get());
  if (bio == nullptr) return false;
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(&session, bio, bio);  // takes it over
  return true;
}

}  // namespace postern::tls
