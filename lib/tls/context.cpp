#include "tls/context.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <utility>

#include "tls/ciphers.hpp"
#include "tls/dry_run.hpp"

namespace postern::tls {
namespace {

using Failure = std::unexpected<std::string>;

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

// Of OpenSSL's first error, what can be done about it; empty for most.
std::string remedy() {
  switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK:
      return ": OpenSSL serves no key below 112 bits of security and no signature with SHA-1: make a certificate with "
             "an RSA key of 2048 bits or an EC key of P-256, signed with SHA-256";
    default: return {};
  }
}

Failure failure_of(const std::string& path, std::string_view what) {
  const std::string advice = remedy();
  return Failure(path + ": " + std::string(what) + ": " + take_tls_error() + advice);
}

// RFC 7919 A.2. Costs time, so only where a cipher wants it.
std::expected<void, std::string> set_dh_group(SSL_CTX* context) {
  const STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(context);
  bool is_wanted = false;
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i)
    is_wanted = is_wanted || SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers, i)) == NID_kx_dhe;
  if (!is_wanted) return {};
  std::string group = "ffdhe3072";  // OpenSSL takes no const
  const std::array parameters{OSSL_PARAM_construct_utf8_string("group", group.data(), group.size()),
                              OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  EVP_PKEY_CTX* const maker = EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr);
  const bool is_made = maker != nullptr && EVP_PKEY_keygen_init(maker) == 1 &&
                       EVP_PKEY_CTX_set_params(maker, parameters.data()) == 1 && EVP_PKEY_generate(maker, &key) == 1;
  EVP_PKEY_CTX_free(maker);
  if (is_made && SSL_CTX_set0_tmp_dh_pkey(context, key) == 1) return {};
  EVP_PKEY_free(key);
  return Failure("no Diffie-Hellman group: " + take_tls_error());
}

// OpenSSL reports a missing file; but it would wait for a FIFO.
bool is_no_file(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode);
}

std::expected<void, std::string> load_certificate(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& path = settings.certificate_path;
  const std::string& key_path = settings.key_path.empty() ? path : settings.key_path;
  for (const std::string& each : {path, key_path})
    if (is_no_file(each)) return Failure(each + ": is not a regular file");
  if (SSL_CTX_use_certificate_chain_file(context, path.c_str()) != 1) {
    return failure_of(path, "no usable certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return failure_of(key_path, "no usable private key");
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return failure_of(path, "the private key is not the certificate's");
  }
  return {};
}

struct CipherLists {
  std::string suites;   // TLS 1.3
  std::string ciphers;  // TLS 1.2
};

CipherLists split(std::string_view names) {
  CipherLists lists;
  for (std::string_view name = take_cipher(names); !name.empty(); name = take_cipher(names)) {
    std::string& list = name.starts_with("TLS_") ? lists.suites : lists.ciphers;
    if (!list.empty()) list += ':';
    list += name;
  }
  return lists;
}

// TLS 1.3 keeps OpenSSL's three suites, unless some are named.
std::expected<void, std::string> set_ciphers(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& names = settings.ciphers;
  const CipherLists lists = split(names.empty() ? spec::cipher_list(settings.guards) : names);
  if (!lists.suites.empty() && SSL_CTX_set_ciphersuites(context, lists.suites.c_str()) != 1) {
    return Failure("TLSCIPHERS: no TLS 1.3 suite is called " + lists.suites + ": " + take_tls_error());
  }
  if (lists.ciphers.empty() && !lists.suites.empty()) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    return {};
  }
  // Whatever the operator names: never "TLS" in clear, never without authentication, never without forward secrecy
  // (RFC 9325 4.1).
  const std::string ciphers = lists.ciphers + ":!eNULL:!aNULL:!kRSA:!kPSK";
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1) {
    return Failure("TLSCIPHERS selects no cipher: " + names + ": " + take_tls_error());
  }
  return set_dh_group(context);
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
  if (auto set = set_ciphers(context, settings); !set) return Failure(std::move(set.error()));
  if (auto read = load_certificate(context, settings); !read) return Failure(std::move(read.error()));
  loaded.warning_ = look_at_dates(context, settings);
  loaded.certificate_path_ = settings.certificate_path;
  loaded.named_ciphers_ = settings.ciphers;
  return loaded;
}

TlsContext::Validity TlsContext::validity() const {
  const auto seconds_of = [](const ASN1_TIME* time) {
    std::tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
  };
  const X509* const certificate = SSL_CTX_get0_certificate(native());
  return {.begins_seconds = seconds_of(X509_get0_notBefore(certificate)),
          .ends_seconds = seconds_of(X509_get0_notAfter(certificate))};
}

std::expected<void, std::string> TlsContext::try_handshake() const {
  auto met = tls::try_handshake(native());
  if (met) return {};
  if (named_ciphers_.empty())
    return Failure(certificate_path_ + ": " + met.error() +
                   ": make a certificate with a key that clients accept, RSA or P-256");
  return Failure("TLSCIPHERS=\"" + named_ciphers_ + "\" with the certificate of " + certificate_path_ + ": " +
                 met.error() + ": name ciphers for its kind of key, or unset TLSCIPHERS");
}

std::string take_tls_error() {
  const unsigned long code = ERR_get_error();  // the first is the cause, the others passed it on
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

}  // namespace postern::tls
