// A whole TLS handshake in memory with the context that will serve, before a client tries it.
// in      a server's context
// out     nothing when a client that takes whatever OpenSSL takes gets through, in each version that the context speaks
// errors  the version, and what OpenSSL said: a key or chain below its security level, no cipher for the certificate, a curve
//         that no client has, a private key that signs wrongly
// cost    one or two handshakes: some milliseconds
// source  deviation D12; RFC 8446; RFC 5246
#pragma once

#include <expected>
#include <string>

struct ssl_ctx_st;

namespace postern::tls {

[[nodiscard]] std::expected<void, std::string> try_handshake(ssl_ctx_st* server);

}  // namespace postern::tls
