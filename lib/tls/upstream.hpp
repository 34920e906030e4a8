// Has the program in front of us (sslserver, s6-tlsd, stunnel) done TLS already, or does it offer to?
// in      PROTO, SSL_PROTOCOL, SSL_CIPHER, SSLCTLFD, SSLREADFD, SSLWRITEFD, and what the descriptors they name are
// out     UpstreamTls; its views point into the environment and die with the next setenv
// errors  a variable that is not a plain decimal number of an open descriptor above 2 offers nothing: SSL=1 then means
//         our own handshake, never cleartext; start_upstream_tls gives a sentence for the log
// source  deviation D9; ucspi-tls(2); ucspi-ssl sslserver, which sets PROTO and the three descriptors also with -n,
//         when it has not done TLS yet: PROTO proves nothing while the offer stands
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace postern::tls {

enum class Upstream : std::uint8_t {
  silent,   // no evidence: SSL=1 means our own handshake, at once
  offers,   // UCSPI-TLS: it waits to be asked; SSL=1 asks at once
  secured,  // what we read has been decrypted, what we write will be encrypted
};

struct UpstreamTls {
  Upstream state = Upstream::silent;
  std::string_view version;  // for the Received line; empty when not known
  std::string_view cipher;
};

using Getenv = const char* (*)(const char* name);  // as ::getenv

// read_fd   the descriptor of the network; 0 except in tests
[[nodiscard]] UpstreamTls find_upstream_tls(Getenv environment, int read_fd = 0);

// Asks for TLS and puts its two descriptors in the place of read_fd and write_fd. Only after Upstream::offers.
[[nodiscard]] std::expected<void, std::string> start_upstream_tls(Getenv environment, int read_fd = 0,
                                                                  int write_fd = 1);

}  // namespace postern::tls
