// The certificates of one listener: chosen by the name that a client asks for (SNI) and by the signatures that it can verify.
// in      PEM files, at least one; how TLS is spoken
// out     sessions; warnings for the log (a certificate out of its dates); when each certificate ends
// choice  all files that cover the name, one of each kind of key; the client's signature algorithms choose among them. A
//         client without a name, or with one that no file has, gets the first file and those that share its name
// lives   until the last session that it opened is over
// threads after load() it is shared by all loops
// errors  a sentence with file and remedy; then nothing is loaded
// source  RFC 6066 3 (server_name); RFC 6125 6.4 (names in a certificate); RFC 8446 4.2.3, RFC 5246 7.4.1.4.1
//         (signature_algorithms)
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tls/context.hpp"
#include "tls/wire.hpp"

namespace postern::tls {

using TlsSession = std::unique_ptr<ssl_st, TlsContext::Deleter>;

class Certificates {
 public:
  using Loaded = std::expected<std::unique_ptr<const Certificates>, std::string>;
  // `settings` names the first certificate.
  [[nodiscard]] static Loaded load(TlsSettings settings, std::span<const CertificateFiles> others);
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // It reads and writes `wire`, which outlives it. Null when out of memory.
  [[nodiscard]] TlsSession open_session(Wire& wire) const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] std::span<const TlsContext> all() const { return contexts_; }
  // For this name (null: none was asked for): one of each kind of key, at least one. has_name says whether any is the
  // name's own.
  using Choice = std::vector<const TlsContext*>;
  [[nodiscard]] Choice for_name(const char* name) const;
  [[nodiscard]] bool has_name(const char* name) const;

 private:
  Certificates() = default;
  std::vector<TlsContext> contexts_;
  Choice for_others_;
  std::vector<std::string> warnings_;
  WireMethod wires_;
};

}  // namespace postern::tls
