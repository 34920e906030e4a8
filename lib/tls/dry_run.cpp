#include "tls/dry_run.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>

#include "tls/context.hpp"

namespace postern::tls {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

Context make_client(int version) {
  Context client(SSL_CTX_new(TLS_client_method()));
  if (client == nullptr) return client;
  SSL_CTX_set_min_proto_version(client.get(), version);
  SSL_CTX_set_max_proto_version(client.get(), version);
  SSL_CTX_set_cipher_list(client.get(), "ALL:!aNULL:!eNULL");
  SSL_CTX_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
  return client;
}

// Each reads what the other writes.
bool join(SSL* server, SSL* client) {
  BIO* ours = nullptr;
  BIO* theirs = nullptr;
  if (BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1) return false;
  SSL_set_bio(server, ours, ours);  // takes it over
  SSL_set_bio(client, theirs, theirs);
  SSL_set_accept_state(server);
  SSL_set_connect_state(client);
  return true;
}

enum class State { done, on_the_way, failed };

State advance(SSL* session) {
  ERR_clear_error();
  const int result = SSL_do_handshake(session);
  if (result == 1) return State::done;
  const int error = SSL_get_error(session, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? State::on_the_way : State::failed;
}

// The server's word counts before the client's, which would only be the alert it got.
std::expected<void, std::string> meet(SSL* server, SSL* client) {
  constexpr int most_turns = 1000;  // a chain of many records takes some
  for (int turn = 0; turn < most_turns; ++turn) {
    const State theirs = advance(client);
    if (theirs == State::failed) return std::unexpected(take_tls_error());
    const State ours = advance(server);
    if (ours == State::failed) return std::unexpected(take_tls_error());
    if (ours == State::done && theirs == State::done) return {};
  }
  return std::unexpected("it does not end");
}

std::expected<void, std::string> meet(SSL_CTX* with, int version) {
  const Context context = make_client(version);
  const Session server(SSL_new(with));
  const Session client(context == nullptr ? nullptr : SSL_new(context.get()));
  if (server == nullptr || client == nullptr || !join(server.get(), client.get()))
    return std::unexpected("out of memory");
  return meet(server.get(), client.get());
}

struct Version {
  int number;
  const char* name;
};

}  // namespace

std::expected<void, std::string> try_handshake(ssl_ctx_st* server) {
  constexpr std::array versions{Version{TLS1_3_VERSION, "TLS 1.3"}, Version{TLS1_2_VERSION, "TLS 1.2"}};
  for (const Version& version : versions) {
    if (version.number < SSL_CTX_get_min_proto_version(server)) continue;
    if (const auto met = meet(server, version.number); !met)
      return std::unexpected(std::string("no client gets through in ") + version.name + ": " + met.error());
  }
  return {};
}

}  // namespace postern::tls
