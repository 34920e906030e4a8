// The certificates of one listener: the first is shown to whoever asks for no name of another (SNI).
// in      PEM files with key, certificate and chain, at least one; how TLS is spoken
// out     sessions; warnings for the log (a certificate out of its dates)
// lives   until the last session that it opened is over
// threads after load() it is shared by all loops
// errors  a sentence with file and mend; then nothing is loaded
// source  RFC 6066 3 (server_name); RFC 6125 6.4 (names in a certificate)
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/tls_context.hpp"

namespace postern::listener {

using TlsSession = std::unique_ptr<ssl_st, daemon::TlsContext::Deleter>;

class Certificates {
 public:
  using Loaded = std::expected<std::unique_ptr<const Certificates>, std::string>;
  // `settings` names the first certificate.
  [[nodiscard]] static Loaded load(daemon::TlsSettings settings, std::span<const std::string> others);
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  [[nodiscard]] TlsSession open_session(int descriptor) const;  // null when out of memory
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  // The certificate for this name; null: the first.
  [[nodiscard]] ssl_ctx_st* context_for(const char* name) const;

 private:
  Certificates() = default;
  std::vector<daemon::TlsContext> contexts_;
  std::vector<std::string> warnings_;
};

}  // namespace postern::listener
