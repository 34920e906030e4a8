// For the tests of TLS: certificates made on the spot, a client of OpenSSL's, and a server's and a client's side that
// meet.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "daemon/tls_transport.hpp"
#include "tls/certificate_end.hpp"

namespace postern::tls {

template <auto function>
struct Freed {
  template <typename T>
  void operator()(T* thing) const {
    function(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using ClientContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Client = std::unique_ptr<SSL, Freed<SSL_free>>;

inline std::int64_t now_seconds() { return std::time(nullptr); }

// A file as control/servercert.pem: key, certificate of `host`, and `chain` further certificates, valid for 30 days.
struct PemFile {
  std::string path;

  PemFile(Key key, int chain, const std::string& host = "mx.example") {
    char name[] = "/tmp/postern-tls-XXXXXX";
    std::FILE* const file = ::fdopen(::mkstemp(name), "w");
    path = name;
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    for (int i = 0; i <= chain; ++i) write_certificate(file, key.get(), i, host);
    std::fclose(file);
  }
  PemFile(const PemFile&) = delete;
  PemFile& operator=(const PemFile&) = delete;
  ~PemFile() { std::filesystem::remove(path); }

 private:
  static void name_host(X509_NAME* name, const std::string& host) {
    const auto* const octets = reinterpret_cast<const unsigned char*>(host.data());
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, octets, static_cast<int>(host.size()), -1, 0);
  }

  static void write_certificate(std::FILE* file, EVP_PKEY* key, int serial, const std::string& host) {
    const Certificate certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial + 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 30 * day_seconds);
    X509_set_pubkey(certificate.get(), key);
    name_host(X509_get_subject_name(certificate.get()), host);
    name_host(X509_get_issuer_name(certificate.get()), "ca.example");  // or OpenSSL would not look at the signature
    X509_sign(certificate.get(), key, EVP_sha256());
    PEM_write_X509(file, certificate.get());
  }
};

inline const std::string& ecdsa_file() {
  static std::string curve = "P-256";  // EVP_EC_gen takes no const
  static const PemFile file(Key(EVP_EC_gen(curve.data())), 1);
  return file.path;
}

inline const std::string& rsa_file() {
  static const PemFile file(Key(EVP_RSA_gen(2048)), 1);
  return file.path;
}

inline const std::string& long_chain_file() {
  static const PemFile file(Key(EVP_RSA_gen(2048)), 9);
  return file.path;
}

inline TlsContext load(const std::string& path, const std::string& ciphers = {}) {
  ::signal(SIGPIPE, SIG_IGN);
  auto context = TlsContext::load({.certificate_path = path, .ciphers = ciphers, .now_seconds = now_seconds()});
  if (!context) {
    ADD_FAILURE() << context.error();
    std::abort();
  }
  return *std::move(context);
}

struct Ends {
  int ours = -1;
  int theirs = -1;
  explicit Ends(int type = SOCK_STREAM) {
    int fds[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    ours = fds[0];
    theirs = fds[1];
    const timeval five_seconds{.tv_sec = 5, .tv_usec = 0};  // a server that fails must not hold its test
    ::setsockopt(theirs, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    ::close(ours);
    hang_up();
  }
  void hang_up() {
    if (theirs >= 0) ::close(std::exchange(theirs, -1));
  }
};

inline constexpr daemon::TlsTimeouts patient{.handshake = std::chrono::seconds(5), .session = std::chrono::seconds(5)};

inline ClientContext make_client(int version, const std::function<void(SSL_CTX*)>& set = {}) {
  ClientContext context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  if (set) set(context.get());
  return context;
}

inline Client open_client(const ClientContext& context, int fd) {
  Client client(SSL_new(context.get()));
  SSL_set_fd(client.get(), fd);
  return client;
}

inline std::string read_once(daemon::Transport& transport) {
  std::array<char, 65536> into{};
  const daemon::ReadResult got = transport.read(into);
  return got.io == daemon::Io::done ? std::string(into.data(), got.octets) : std::string();
}

inline std::string read_once(const Client& client) {
  std::array<char, 65536> into{};
  const int got = SSL_read(client.get(), into.data(), into.size());
  return got > 0 ? std::string(into.data(), static_cast<std::size_t>(got)) : std::string();
}

inline void send(const Client& client, std::string_view octets) {
  std::size_t written = 0;
  EXPECT_EQ(SSL_write_ex(client.get(), octets.data(), octets.size(), &written), 1);
}

// The server's side of a handshake in a thread, the client's in this one.
struct Meeting {
  Ends ends;
  daemon::TlsTransport::Accepted accepted = std::unexpected(daemon::HandshakeFailure{daemon::Io::done, "never tried"});
  ClientContext client_context;
  Client client;

  Meeting(const TlsContext& context, ClientContext with, daemon::TlsTimeouts timeouts = patient)
      : client_context(std::move(with)), client(open_client(client_context, ends.theirs)) {
    std::thread server([&] {
      accepted = daemon::TlsTransport::accept(context, {ends.ours, ends.ours}, timeouts);
      if (!accepted) ::shutdown(ends.ours, SHUT_RDWR);
    });
    is_connected = SSL_connect(client.get()) == 1;
    ::signal(SIGPIPE, SIG_IGN);
    if (!is_connected) ::shutdown(ends.theirs, SHUT_WR);
    server.join();
  }
  daemon::TlsTransport& server() { return **accepted; }
  bool is_connected = false;
};

}  // namespace postern::tls
