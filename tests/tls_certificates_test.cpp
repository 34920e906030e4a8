// RFC 6066 3 (server_name), RFC 6125 6.4 (wildcards).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "loop/channel.hpp"
#include "tests/tls_meeting.hpp"
#include "tls/certificates.hpp"

namespace postern::tls {
namespace {

Key new_key() {
  std::string curve = "P-256";  // EVP_EC_gen takes no const
  return Key(EVP_EC_gen(curve.data()));
}

std::string common_name(X509* certificate) {
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
  return name.data();
}

class Certified : public ::testing::Test {
 protected:
  Certificates::Loaded load(const std::vector<std::string>& others) {
    std::vector<CertificateFiles> files;
    for (const std::string& path : others) files.push_back({path, {}});
    return Certificates::load({.certificate_path = first_.path, .ciphers = {}, .now_seconds = now_seconds()}, files);
  }
  [[nodiscard]] static std::string chosen(const Certificates& certificates, const char* name) {
    if (!certificates.has_name(name)) return "the first";
    std::string names;
    for (const TlsContext* each : certificates.for_name(name))
      names += (names.empty() ? "" : " ") + common_name(SSL_CTX_get0_certificate(each->native()));
    return names;
  }
  PemFile first_{new_key(), 0, "mx.example"}, other_{new_key(), 0, "mail.other.example"},
      wild_{new_key(), 0, "*.wild.example"};
};

TEST_F(Certified, the_name_chooses_and_the_first_is_for_everybody_else) {
  const auto loaded = load({other_.path, wild_.path});
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ("mail.other.example", chosen(**loaded, "mail.other.example"));
  EXPECT_EQ("mail.other.example", chosen(**loaded, "MAIL.Other.Example"));
  EXPECT_EQ("*.wild.example", chosen(**loaded, "a.wild.example"));
  EXPECT_EQ("mx.example", chosen(**loaded, "mx.example"));
  for (const char* name : {"a.b.wild.example", "wild.example", "other.example", "", "x"})
    EXPECT_EQ("the first", chosen(**loaded, name)) << name;
}

// A whole handshake over a socket that does not block, and which certificate the client saw.
std::string seen_by_client(const Certificates& certificates, const char* name, int version = TLS1_3_VERSION,
                           const char* signatures = nullptr) {
  const Ends ends;
  ::fcntl(ends.ours, F_SETFL, O_NONBLOCK);
  const auto context = make_client(version);
  if (signatures != nullptr) {
    EXPECT_EQ(1, SSL_CTX_ctrl(context.get(), SSL_CTRL_SET_SIGALGS_LIST, 0, const_cast<char*>(signatures)));
  }
  const auto client = open_client(context, ends.theirs);
  if (name != nullptr) SSL_ctrl(client.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, const_cast<char*>(name));
  std::thread connecting([&] { EXPECT_EQ(1, SSL_connect(client.get())); });
  loop::Channel channel{base::Descriptor(::dup(ends.ours))};
  EXPECT_TRUE(channel.start_tls(certificates));
  loop::Progress progress = loop::Progress::again;
  for (int i = 0; i < 5000 && progress == loop::Progress::again; ++i) {
    progress = channel.handshake();
    if (progress == loop::Progress::again) ::usleep(1000);
  }
  connecting.join();
  EXPECT_EQ(loop::Progress::done, progress);
  const Certificate shown(SSL_get1_peer_certificate(client.get()));
  if (shown == nullptr) return "none";
  const bool is_rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(shown.get())) == EVP_PKEY_RSA;
  return common_name(shown.get()) + (is_rsa ? ", RSA" : "");
}

// RFC 8446 4.2.3, RFC 5246 7.4.1.4.1: certificates of several kinds for one name, and clients that can verify only one kind.
TEST_F(Certified, the_signatures_that_a_client_knows_choose_among_those_of_one_name) {
  const PemFile rsa(Key(EVP_RSA_gen(2048)), 1, "mx.example");
  const PemFile other_rsa(Key(EVP_RSA_gen(2048)), 1, "mail.other.example");
  const auto loaded = load({other_.path, rsa.path, other_rsa.path});
  ASSERT_TRUE(loaded) << loaded.error();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* name :
         {"mx.example", "mail.other.example", "unknown.example", static_cast<const char*>(nullptr)}) {
      const std::string shown = name == nullptr || *name == 'u' ? "mx.example" : name;
      EXPECT_EQ(shown, seen_by_client(**loaded, name, version, "ecdsa_secp256r1_sha256"));
      EXPECT_EQ(shown + ", RSA", seen_by_client(**loaded, name, version, "rsa_pss_rsae_sha256:RSA+SHA256"));
      EXPECT_EQ(shown, seen_by_client(**loaded, name, version)) << "both: the quicker one";
    }
  }
}

TEST_F(Certified, the_client_sees_the_certificate_of_the_name_it_gave) {
  const auto loaded = load({other_.path});
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ("mail.other.example", seen_by_client(**loaded, "mail.other.example"));
  EXPECT_EQ("mx.example", seen_by_client(**loaded, "unknown.example"));
  EXPECT_EQ("mx.example", seen_by_client(**loaded, nullptr));
}

TEST_F(Certified, one_that_is_broken_breaks_all_and_is_named) {
  const auto loaded = load({other_.path, "/nonexistent.pem"});
  ASSERT_FALSE(loaded);
  EXPECT_NE(std::string::npos, loaded.error().find("/nonexistent.pem")) << loaded.error();
}

}  // namespace
}  // namespace postern::tls
