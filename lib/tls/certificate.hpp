// A cheap look at the certificate file before anything is offered: would the TLS sibling be able to use it?
// in      one or two paths; the files hold a private key, its certificate and the chain, in PEM
// out     absent (no such file, and none is set: STARTTLS is off), usable, or broken with a sentence that says where
//         and how to fix it. A file that the operator named and that does not exist is broken.
//         What cannot be found out cheaply (signatures, an EC key without its public part, Ed25519, what OpenSSL's security
//         level says of rare kinds) counts as usable and not as certain: the sibling has to be asked. An expired
//         certificate is usable
// cost    one read of the file, one pass over the first key and over each certificate; the key's octets are wiped
// errors  none besides the judgement
// source  deviation D12; RFC 7468 2 (PEM); control/servercert.pem as qmail's TLS patches have it
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tls/certificate_der.hpp"

namespace postern::tls {

enum class CertificateState : std::uint8_t { absent, usable, broken };

struct CertificateJudgement {
  CertificateState state;
  std::string reason;                 // empty unless broken
  bool is_certain = true;             // false: usable as far as can be found out cheaply
  KeyKind key_kind = KeyKind::other;  // of one that is usable
};

// As certbot writes them: fullchain.pem and privkey.pem. `key` is empty when it is in the certificate's file.
struct CertificateFiles {
  std::string certificate, key;
};

// Where the certificate is, by TLS_SERVER_CERT or, when that is empty, by default; its key by TLS_SERVER_KEY.
struct CertificatePlace {
  CertificateFiles files;
  bool is_named;  // by the operator: then its absence is an error, and never a reason to serve without TLS
};
[[nodiscard]] CertificatePlace certificate_place(std::string_view tls_server_cert, std::string_view tls_server_key);

[[nodiscard]] CertificateJudgement judge_certificate(const std::string& path);
[[nodiscard]] CertificateJudgement judge_certificate(const CertificatePlace& place);

// The same for a text that has been read already; `name` stands in the reason.
[[nodiscard]] CertificateJudgement judge_certificate_text(std::string_view name, std::string_view pem);

}  // namespace postern::tls
