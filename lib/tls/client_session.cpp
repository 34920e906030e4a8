#include "tls/client_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <string>

#include "base/network.hpp"
#include "tls/context.hpp"

namespace postern::tls {

ClientSession::ClientSession() : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), session_(nullptr, SSL_free) {
  if (context_ == nullptr) return;
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

ClientSession::~ClientSession() = default;

bool ClientSession::wait_for(int result, base::Deadline deadline) {
  const int error = SSL_get_error(session_.get(), result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
  const short wanted = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
  pollfd watched{.fd = socket_, .events = wanted, .revents = 0};
  const int left = base::milliseconds_until(deadline);
  return left > 0 && ::poll(&watched, 1, left) != 0;
}

std::string ClientSession::shake_hands(int socket, const std::string& name, base::Deadline deadline) {
  if (context_ == nullptr) return "no memory for TLS";
  session_.reset(SSL_new(context_.get()));
  if (session_ == nullptr || SSL_set_fd(session_.get(), socket) != 1) return "no memory for TLS";
  socket_ = socket;
  std::string asked = name;  // OpenSSL takes no const
  if (!name.empty() && !base::parse_address(name))
    SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, asked.data());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(session_.get());
    if (result == 1) return {};
    if (wait_for(result, deadline)) continue;
    const bool is_late = base::milliseconds_until(deadline) <= 0;
    return "the TLS handshake " + (is_late ? std::string("does not end in time") : "fails: " + take_tls_error());
  }
}

Read ClientSession::read_some(std::span<char> room, base::Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_read_ex(session_.get(), room.data(), room.size(), &size);
    if (result == 1) return {Read::Kind::octets, size};
    if (wait_for(result, deadline)) continue;
    return {base::milliseconds_until(deadline) <= 0 ? Read::Kind::late : Read::Kind::end, 0};
  }
}

void ClientSession::write_all(std::string_view octets, base::Deadline deadline) {
  while (!octets.empty()) {
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_write_ex(session_.get(), octets.data(), octets.size(), &size);
    if (result != 1 && !wait_for(result, deadline)) return;
    octets.remove_prefix(result == 1 ? size : 0);
  }
}

}  // namespace postern::tls
