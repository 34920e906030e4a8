#include "tls/certificates.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

namespace postern::tls {
namespace {

X509* certificate_of(const TlsContext& context) { return SSL_CTX_get0_certificate(context.native()); }

int kind_of(const TlsContext& context) { return EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(context.native())); }

bool covers(const TlsContext& context, const char* name) {
  return X509_check_host(certificate_of(context), name, 0, 0, nullptr) == 1;
}

void add_kind(Certificates::Choice& choice, const TlsContext& context) {
  const auto is_same_kind = [&](const TlsContext* each) { return kind_of(*each) == kind_of(context); };
  if (std::ranges::none_of(choice, is_same_kind)) choice.push_back(&context);
}

// The names for which a certificate was made: of its subjectAltName, or its common name (RFC 6125 6.4.4).
std::vector<std::string> names_of(const TlsContext& context) {
  std::vector<std::string> names;
  const auto add = [&names](const ASN1_STRING* text) {
    const auto* const octets = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
    names.emplace_back(octets, static_cast<std::size_t>(ASN1_STRING_length(text)));
  };
  X509* const certificate = certificate_of(context);
  auto* const all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all, i);
    if (name->type == GEN_DNS) add(name->d.dNSName);
  }
  GENERAL_NAMES_free(all);
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = names.empty() ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
  if (at >= 0) add(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return names;
}

// RFC 6066 3: a name that we do not have gets the first certificate, not an alert; a verifying client will notice. That a name
// was heeded is said in the server's hello.
int acknowledge_name(SSL* session, int*, void* certificates) {
  const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  const bool has_name = name != nullptr && static_cast<const Certificates*>(certificates)->has_name(name);
  return has_name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// A session begins with the first certificate: where that is the choice, nothing is to be done.
int choose_certificates(SSL* session, void* certificates) {
  const auto* const all = static_cast<const Certificates*>(certificates);
  const Certificates::Choice choice = all->for_name(SSL_get_servername(session, TLSEXT_NAMETYPE_host_name));
  if (choice.size() == 1 && choice.front() == &all->all().front()) return 1;
  SSL_certs_clear(session);
  for (const TlsContext* const each : choice) {
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(each->native(), &chain);
    if (SSL_use_cert_and_key(session, certificate_of(*each), SSL_CTX_get0_privatekey(each->native()), chain, 1) != 1)
      return 0;
  }
  return 1;
}

std::expected<TlsContext, std::string> load_and_try(const TlsSettings& settings) {
  auto loaded = TlsContext::load(settings);
  if (!loaded) return loaded;
  if (auto tried = loaded->try_handshake(); !tried) return std::unexpected(std::move(tried.error()));
  return loaded;
}

}  // namespace

Certificates::Loaded Certificates::load(TlsSettings settings, std::span<const CertificateFiles> others) {
  std::unique_ptr<Certificates> loaded(new Certificates);
  if (!loaded->wires_.is_made()) return std::unexpected(std::string("OpenSSL does not start: no memory"));
  loaded->contexts_.reserve(others.size() + 1);
  std::vector<CertificateFiles> files{{settings.certificate_path, settings.key_path}};
  files.insert(files.end(), others.begin(), others.end());
  for (const CertificateFiles& each : files) {
    settings.certificate_path = each.certificate;
    settings.key_path = each.key;
    auto next = load_and_try(settings);
    if (!next) return std::unexpected(std::move(next.error()));
    if (!next->warning().empty()) loaded->warnings_.emplace_back(next->warning());
    loaded->contexts_.push_back(std::move(*next));
  }
  add_kind(loaded->for_others_, loaded->contexts_.front());
  const std::vector<std::string> names = names_of(loaded->contexts_.front());
  for (const TlsContext& each : loaded->contexts_) {
    const auto is_covered = [&](const std::string& name) { return covers(each, name.c_str()); };
    if (std::ranges::any_of(names, is_covered)) add_kind(loaded->for_others_, each);
  }
  SSL_CTX* const first = loaded->contexts_.front().native();
  // What the macro of this name does, without its cast.
  SSL_CTX_callback_ctrl(first, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(acknowledge_name));
  SSL_CTX_set_tlsext_servername_arg(first, loaded.get());
  SSL_CTX_set_cert_cb(first, choose_certificates, loaded.get());
  return loaded;
}

bool Certificates::has_name(const char* name) const {
  return std::ranges::any_of(contexts_, [&](const TlsContext& each) { return covers(each, name); });
}

// Those besides the first are the more special ones.
Certificates::Choice Certificates::for_name(const char* name) const {
  Choice choice;
  if (name == nullptr || *name == '\0') return for_others_;
  for (const TlsContext& each : std::span(contexts_).subspan(1))
    if (covers(each, name)) add_kind(choice, each);
  if (covers(contexts_.front(), name)) add_kind(choice, contexts_.front());
  return choice.empty() ? for_others_ : choice;
}

TlsSession Certificates::open_session(Wire& wire) const {
  TlsSession session = contexts_.front().open_session();
  if (session == nullptr || !wires_.join(*session, wire)) return nullptr;
  // What could not be written is written again from where the rest of it stands then.
  SSL_set_mode(session.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace postern::tls
