// What all TLS sessions of a program share: certificate, ciphers, and how little of TLS we speak.
// in      the path of a PEM file with key, certificate and chain; the operator's TLSCIPHERS or nothing; the time
// out     TlsContext, and a warning for the log when the certificate is out of its dates (mail goes on: D12)
// errors  a sentence for the log: file and remedy, and what OpenSSL said
// note    the system's openssl.cnf is not read: reading it costs a fresh process more than the handshake, and what this
//         program speaks is decided here
// source  deviation D12; RFC 8446, RFC 5246, RFC 8996 (no TLS 1.0, 1.1); RFC 7301 3.2 (ALPN); seed: TLS_SERVER_CERT,
//         TLSCIPHERS
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "spec/policy_row.hpp"
#include "tls/certificate.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace postern::tls {

struct TlsSettings {
  std::string certificate_path;  // control/servercert.pem, or TLS_SERVER_CERT
  std::string ciphers;           // TLSCIPHERS; empty for our own choice. TLS_... names choose for TLS 1.3, all others
                                 // for TLS 1.2; only TLS_... names mean no TLS 1.2
  std::int64_t now_seconds;      // since 1970
  std::string groups{};          // of the key exchange, as OpenSSL names them; empty for our own choice
  bool only_tls_1_3 = false;
  std::string key_path{};      // TLS_SERVER_KEY; empty: the key is in the certificate's file
  spec::Guards guards{};       // of the service: they choose our own ciphers (spec/settings.toml: cipher_list)
  bool gives_tickets = false;  // for sessions to be resumed; some senders stumble over them
};

class TlsContext {
 public:
  [[nodiscard]] static std::expected<TlsContext, std::string> load(const TlsSettings& settings);
  [[nodiscard]] std::string_view warning() const { return warning_; }
  // A whole handshake in memory: what load() does not find out (dry_run.hpp).
  [[nodiscard]] std::expected<void, std::string> try_handshake() const;

  [[nodiscard]] const std::string& certificate_path() const { return certificate_path_; }
  struct Validity {
    std::int64_t begins_seconds, ends_seconds;  // since 1970
  };
  [[nodiscard]] Validity validity() const;

  struct Deleter {
    void operator()(ssl_ctx_st* context) const;
    void operator()(ssl_st* session) const;
  };
  [[nodiscard]] std::unique_ptr<ssl_st, Deleter> open_session() const;  // null when out of memory
  [[nodiscard]] ssl_ctx_st* native() const { return context_.get(); }

 private:
  TlsContext() = default;
  std::unique_ptr<ssl_ctx_st, Deleter> context_;
  std::string warning_, certificate_path_, named_ciphers_;
};

// What OpenSSL has to say about its last failure, printable, at most one line; empties its queue of errors.
[[nodiscard]] std::string take_tls_error();

}  // namespace postern::tls
