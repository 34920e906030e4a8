// TLS from the client's side, for who looks at another server: a handshake, then octets, each call with a deadline.
// in      a connected socket that does not block; the name that the client asks for (SNI), empty for none
// out     what the server sends; nothing about its certificate, which is neither verified nor a reason to stop
// lives   the socket outlives it
// errors  a sentence; read_some() gives Read::end for every end, Read::late at its deadline
// source  RFC 8446; RFC 5246; RFC 6066 3 (server_name)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/child.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace postern::tls {

struct Read {
  enum class Kind : std::uint8_t { octets, end, late } kind = Kind::end;
  std::size_t size = 0;
};

class ClientSession {
 public:
  ClientSession();
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // Empty: the channel is encrypted.
  [[nodiscard]] std::string shake_hands(int socket, const std::string& name, base::Deadline deadline);
  [[nodiscard]] Read read_some(std::span<char> room, base::Deadline deadline);
  // What cannot be sent by the deadline is not sent.
  void write_all(std::string_view octets, base::Deadline deadline);

 private:
  [[nodiscard]] bool wait_for(int result, base::Deadline deadline);

  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
  int socket_ = -1;
};

}  // namespace postern::tls
