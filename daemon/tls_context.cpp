#include "daemon/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

namespace postern::daemon {
namespace {

using Failure = std::unexpected<std::string>;

// Forward secrecy and no CBC before AEAD; TLS 1.3 keeps OpenSSL's three suites.
constexpr const char* own_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES";
constexpr std::string_view groups = "X25519:P-256:P-384:P-521";

// RFC 7301 3.2: a client that names its protocols and not ours has been led here from another service (ALPACA).
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_octets, const unsigned char* in,
                    unsigned int in_octets, void*) {
  static constexpr unsigned char ours[] = {4, 's', 'm', 't', 'p'};
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(&chosen, out_octets, ours, sizeof ours, in, in_octets);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int refuse_passphrase(char*, int, int, void*) { return -1; }

void set_manners(SSL_CTX* context, const TlsSettings& settings) {
  SSL_CTX_set_min_proto_version(context, settings.only_tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (!settings.gives_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, settings.gives_tickets ? 1 : 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);  // a record's head and body in one read
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
}

std::expected<void, std::string> load_certificate(SSL_CTX* context, const std::string& path) {
  if (SSL_CTX_use_certificate_chain_file(context, path.c_str()) != 1) {
    return Failure(path + ": no usable certificate: " + take_tls_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Failure(path + ": no usable private key: " + take_tls_error());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return Failure(path + ": the private key is not the certificate's: " + take_tls_error());
  }
  return {};
}

struct CipherLists {
  std::string suites;   // TLS 1.3
  std::string ciphers;  // TLS 1.2
};

CipherLists split(std::string_view names) {
  CipherLists lists;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find_first_of(":, "), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    if (name.empty()) continue;
    std::string& list = name.starts_with("TLS_") ? lists.suites : lists.ciphers;
    if (!list.empty()) list += ':';
    list += name;
  }
  return lists;
}

std::expected<void, std::string> set_ciphers(SSL_CTX* context, const std::string& names) {
  const CipherLists lists = split(names.empty() ? own_ciphers : names);
  if (!lists.suites.empty() && SSL_CTX_set_ciphersuites(context, lists.suites.c_str()) != 1) {
    return Failure("TLSCIPHERS: no TLS 1.3 suite is called " + lists.suites + ": " + take_tls_error());
  }
  if (lists.ciphers.empty() && !lists.suites.empty()) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    return {};
  }
  // Whatever the operator names: never "TLS" in clear, never with nobody in particular.
  const std::string ciphers = lists.ciphers + ":!eNULL:!aNULL";
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1) {
    return Failure("TLSCIPHERS selects no cipher: " + names + ": " + take_tls_error());
  }
  return {};
}

std::string date_of(const ASN1_TIME* time) {
  std::tm parts{};
  char text[sizeof "YYYY-MM-DD"];
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  return std::strftime(text, sizeof text, "%Y-%m-%d", &parts) == 0 ? "an unreadable date" : text;
}

std::string look_at_dates(const SSL_CTX* context, const TlsSettings& settings) {
  const X509* const certificate = SSL_CTX_get0_certificate(context);
  auto now = static_cast<std::time_t>(settings.now_seconds);
  const ASN1_TIME* const from = X509_get0_notBefore(certificate);
  const ASN1_TIME* const until = X509_get0_notAfter(certificate);
  if (X509_cmp_time(until, &now) < 0) {
    return settings.certificate_path + ": the certificate expired on " + date_of(until) + ": renew it";
  }
  if (X509_cmp_time(from, &now) > 0) {
    return settings.certificate_path + ": the certificate begins on " + date_of(from) + ": is the clock right?";
  }
  return {};
}

}  // namespace

void TlsContext::Deleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsContext::Deleter::operator()(ssl_st* session) const { SSL_free(session); }

std::unique_ptr<ssl_st, TlsContext::Deleter> TlsContext::open_session() const {
  return std::unique_ptr<ssl_st, Deleter>(SSL_new(context_.get()));
}

std::expected<TlsContext, std::string> TlsContext::load(const TlsSettings& settings) {
  // The names of ciphers are looked up only to decrypt a private key, which is refused. Those of digests are needed.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS, nullptr);
  TlsContext loaded;
  loaded.context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = loaded.context_.get();
  if (context == nullptr) return Failure("OpenSSL does not start: " + take_tls_error());
  set_manners(context, settings);
  std::string wanted(settings.groups.empty() ? groups : settings.groups);  // the macro takes no const
  if (SSL_CTX_set1_groups_list(context, wanted.data()) != 1)
    return Failure("the key exchange \"" + wanted + "\" has a group that OpenSSL does not know");
  if (auto set = set_ciphers(context, settings.ciphers); !set) return Failure(std::move(set.error()));
  if (auto read = load_certificate(context, settings.certificate_path); !read) return Failure(std::move(read.error()));
  loaded.warning_ = look_at_dates(context, settings);
  return loaded;
}

std::string take_tls_error() {
  const unsigned long code = ERR_get_error();  // the first is the cause, what follows is who passed it on
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* const reason =
      ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "error " + std::to_string(code);
  for (char& character : text) {
    if (character < ' ' || character > '~') character = '?';
  }
  return text;
}

}  // namespace postern::daemon
