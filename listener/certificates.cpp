#include "listener/certificates.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace postern::listener {
namespace {

// RFC 6066 3: a name that we do not have gets the first certificate, not an alert; who verifies will find out.
int choose_certificate(SSL* session, int*, void* certificates) {
  const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* const context = static_cast<const Certificates*>(certificates)->context_for(name);
  if (context == nullptr) return SSL_TLSEXT_ERR_NOACK;
  return SSL_set_SSL_CTX(session, context) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::expected<daemon::TlsContext, std::string> load_and_try(const daemon::TlsSettings& settings) {
  auto loaded = daemon::TlsContext::load(settings);
  if (!loaded) return loaded;
  if (auto tried = loaded->rehearse(); !tried) return std::unexpected(std::move(tried.error()));
  return loaded;
}

}  // namespace

Certificates::Loaded Certificates::load(daemon::TlsSettings settings, std::span<const std::string> others) {
  std::unique_ptr<Certificates> loaded(new Certificates);
  auto first = load_and_try(settings);
  if (!first) return std::unexpected(std::move(first.error()));
  loaded->contexts_.push_back(std::move(*first));
  for (const std::string& path : others) {
    settings.certificate_path = path;
    auto next = load_and_try(settings);
    if (!next) return std::unexpected(std::move(next.error()));
    loaded->contexts_.push_back(std::move(*next));
  }
  for (const daemon::TlsContext& context : loaded->contexts_)
    if (!context.warning().empty()) loaded->warnings_.emplace_back(context.warning());
  SSL_CTX* const chooser = loaded->contexts_.front().native();
  // What the macro of this name does, without its cast.
  SSL_CTX_callback_ctrl(chooser, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(choose_certificate));
  SSL_CTX_set_tlsext_servername_arg(chooser, loaded.get());
  return loaded;
}

ssl_ctx_st* Certificates::context_for(const char* name) const {
  for (std::size_t i = 1; i < contexts_.size(); ++i)
    if (X509_check_host(SSL_CTX_get0_certificate(contexts_[i].native()), name, 0, 0, nullptr) == 1)
      return contexts_[i].native();
  return nullptr;
}

TlsSession Certificates::open_session(int descriptor) const {
  TlsSession session = contexts_.front().open_session();
  if (session == nullptr || SSL_set_fd(session.get(), descriptor) != 1) return nullptr;
  // What could not be written is written again from where the rest of it stands then.
  SSL_set_mode(session.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_accept_state(session.get());
  return session;
}

}  // namespace postern::listener
