// Each file of a table is judged twice: cheaply as the cleartext program does, and by OpenSSL as the sibling does.
// What OpenSSL takes must be usable, and what is broken OpenSSL must refuse. The openssl command makes the files.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <vector>

#include "tls/certificate.hpp"
#include "tls/certificate_der.hpp"
#include "tls/ciphers.hpp"
#include "tls/context.hpp"

namespace {

namespace fs = std::filesystem;
using namespace postern::tls;

fs::path make_workshop() {
  std::string pattern = (fs::temp_directory_path() / "postern-certificate-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

struct Workshop {
  fs::path directory = make_workshop();
  ~Workshop() { fs::remove_all(directory); }

  std::string path(const std::string& name) const { return directory / name; }

  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path(name)).rdbuf();
    EXPECT_FALSE(text.str().empty()) << name;
    return text.str();
  }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

  // `openssl <arguments>`, run in the directory.
  void openssl(const std::string& arguments) const {
    const std::string command = "cd " + directory.string() + " && openssl " + arguments + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }

  void make_key(const std::string& name, const std::string& how) const { openssl(how + " -out " + name + ".key"); }

  void make_certificate(const std::string& name) const {
    openssl("req -x509 -new -days 30 -subj /CN=mx.example -key " + name + ".key -out " + name + ".crt");
  }
};

// A key and its certificate of every kind, each kind twice, so that a stranger of the same kind is at hand.
const Workshop& workshop() {
  static const std::unique_ptr<const Workshop> made = [] {
    auto shop = std::make_unique<const Workshop>();
    for (const std::string twice : {"", "2"}) {
      shop->make_key("rsa" + twice, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048");
      shop->make_key("p256" + twice, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
      shop->make_key("p384" + twice, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384");
      shop->make_key("ed25519" + twice, "genpkey -algorithm ED25519");
      for (const std::string kind : {"rsa", "p256", "p384", "ed25519"}) shop->make_certificate(kind + twice);
    }
    shop->openssl("req -new -subj /CN=leaf.example -key p256.key -out leaf.csr");
    shop->openssl("x509 -req -in leaf.csr -CA rsa.crt -CAkey rsa.key -CAcreateserial -out leaf.crt");
    shop->openssl("rsa -in rsa.key -traditional -out rsa.pkcs1");
    shop->openssl("ec -in p256.key -out p256.sec1");
    shop->openssl("ec -in p256.key -no_public -out p256.private");
    shop->openssl("ec -in p256.key -conv_form compressed -out p256.compressed");
    shop->openssl("ecparam -name prime256v1 -genkey -out parameters.key");
    shop->make_certificate("parameters");
    shop->make_key("rsa1024", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    shop->make_certificate("rsa1024");
    shop->openssl("x509 -req -sha1 -in leaf.csr -CA rsa.crt -CAkey rsa.key -CAcreateserial -out sha1.crt");
    shop->openssl("ecparam -name secp224r1 -genkey -noout -out p224.key");
    shop->make_certificate("p224");
    shop->openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key");
    shop->make_certificate("pss");
    shop->openssl("pkcs8 -topk8 -in p256.key -passout pass:secret -out p256.encrypted");
    shop->openssl("rsa -aes128 -traditional -in rsa.key -passout pass:secret -out rsa.encrypted");
    shop->openssl("x509 -in p256.crt -text -out p256.text");
    shop->openssl("x509 -in p256.crt -trustout -addtrust serverAuth -out p256.trusted");
    shop->openssl("dhparam -dsaparam -out dh.pem 512");
    shop->openssl("pkey -in p256.key -outform DER -out p256.key.der");
    shop->openssl("x509 -in p256.crt -outform DER -out p256.crt.der");
    shop->openssl("rsa -in rsa.key -traditional -outform DER -out rsa.key.der");
    shop->openssl("x509 -in rsa.crt -outform DER -out rsa.crt.der");
    return shop;
  }();
  return *made;
}

std::string text_of(const std::string& name) { return workshop().read(name); }
std::string pair_of(const std::string& key, const std::string& certificate) {
  return text_of(key) + text_of(certificate);
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char character : text) out += character == '\n' ? std::string("\r\n") : std::string(1, character);
  return out;
}

std::string without(std::string text, const std::string& part) {
  const auto at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.erase(at, part.size());
}

// The lines of a text but those from `first` on, as a copy that was interrupted leaves it.
std::string cut_after_lines(const std::string& text, int lines) {
  std::size_t at = 0;
  for (int i = 0; i < lines; ++i) at = text.find('\n', at) + 1;
  return text.substr(0, at);
}

// A block with one of its lines missing: well formed, and its octets end too early.
std::string shortened(const std::string& text) {
  const auto second = text.find('\n', text.find("-----BEGIN ")) + 1;
  return text.substr(0, second) + text.substr(text.find('\n', second) + 1);
}

bool openssl_takes(const std::string& path, std::string& why) {
  const auto loaded = TlsContext::load({.certificate_path = path, .ciphers = {}, .now_seconds = std::time(nullptr)});
  const auto tried = loaded ? loaded->try_handshake() : std::unexpected(loaded.error());
  if (!tried) why = tried.error();
  return tried.has_value();
}

struct Row {
  std::string what;
  std::string text;
  CertificateState expected;
  std::string mention;  // what the reason of a broken one must say
};

std::vector<Row> usable_rows() {
  constexpr auto usable = CertificateState::usable;
  std::vector<Row> rows;
  for (const std::string kind : {"rsa", "p256", "p384", "ed25519", "pss", "parameters"}) {
    rows.push_back({kind, pair_of(kind + ".key", kind + ".crt"), usable, {}});
  }
  rows.push_back({"certificate first", pair_of("p256.crt", "p256.key"), usable, {}});
  rows.push_back({"PKCS #1", pair_of("rsa.pkcs1", "rsa.crt"), usable, {}});
  rows.push_back({"SEC1", pair_of("p256.sec1", "p256.crt"), usable, {}});
  rows.push_back({"no public part", pair_of("p256.private", "p256.crt"), usable, {}});
  rows.push_back({"compressed point", pair_of("p256.compressed", "p256.crt"), usable, {}});
  rows.push_back({"chain", pair_of("p256.key", "p256.crt") + text_of("rsa.crt") + text_of("p384.crt"), usable, {}});
  rows.push_back({"leaf and its issuer", pair_of("p256.key", "leaf.crt") + text_of("rsa.crt"), usable, {}});
  rows.push_back({"CRLF", with_crlf(pair_of("rsa.key", "rsa.crt")), usable, {}});
  rows.push_back({"text around", "Bag Attributes: x\n" + pair_of("p256.key", "p256.text") + "the end", usable, {}});
  rows.push_back({"trusted certificate", pair_of("p256.key", "p256.trusted"), usable, {}});
  rows.push_back({"DH parameters last", pair_of("rsa.key", "rsa.crt") + text_of("dh.pem"), usable, {}});
  rows.push_back({"DH parameters first", text_of("dh.pem") + pair_of("rsa.key", "rsa.crt"), usable, {}});
  std::string no_last_line_end = pair_of("p256.key", "p256.crt");
  no_last_line_end.pop_back();
  rows.push_back({"byte order mark", "\xEF\xBB\xBF" + pair_of("p256.key", "p256.crt"), usable, {}});
  rows.push_back({"no last line end", no_last_line_end, usable, {}});
  return rows;
}

std::vector<Row> broken_rows() {
  constexpr auto broken = CertificateState::broken;
  const std::string good = pair_of("rsa.key", "rsa.crt");
  std::vector<Row> rows{
      {"empty", "", broken, "neither a private key nor a certificate"},
      {"garbage", "this is no certificate\n\0\xFF\n", broken, "neither a private key nor a certificate"},
      {"key only", text_of("rsa.key"), broken, "holds no certificate"},
      {"certificate only", text_of("rsa.crt"), broken, "holds no private key: put the key before the certificate"},
      {"DER", text_of("rsa.crt.der"), broken, "neither a private key nor a certificate"},
      {"encrypted PKCS #8", pair_of("p256.encrypted", "p256.crt"), broken, "encrypted"},
      {"encrypted PKCS #1", pair_of("rsa.encrypted", "rsa.crt"), broken, "encrypted"},
      {"no end line", without(good, "-----END CERTIFICATE-----\n"), broken, "line 29"},
      {"no end of the key", without(good, "-----END PRIVATE KEY-----\n"), broken, "line 1"},
      {"copy interrupted", cut_after_lines(good, 35), broken, "line 29"},
      {"key cut short", shortened(text_of("rsa.key")) + text_of("rsa.crt"), broken, "the private key that begins here"},
      {"certificate cut short", text_of("rsa.key") + shortened(text_of("rsa.crt")), broken, "the certificate that"},
      {"an octet lost", without(good, "MII"), broken, "the private key that begins here"},
      {"an empty key", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n" + text_of("rsa.crt"), broken,
       "line 1"},
  };
  const std::vector<std::string> kinds{"rsa", "p256", "p384", "ed25519"};
  for (const std::string& key : kinds) {
    for (const std::string& certificate : kinds) {
      if (key == "ed25519" && certificate == key) continue;  // cannot be found out cheaply
      const std::string other = key == certificate ? certificate + "2" : certificate;
      rows.push_back({key + " key, certificate of " + other, pair_of(key + ".key", other + ".crt"), broken,
                      "does not belong to the private key"});
    }
  }
  rows.push_back({"chain before leaf", pair_of("p256.key", "rsa.crt") + text_of("p256.crt"), broken, "first"});
  return rows;
}

void judge_row(const Row& row) {
  SCOPED_TRACE(row.what);
  const std::string path = workshop().write("judged.pem", row.text);
  const CertificateJudgement judgement = judge_certificate(path);
  std::string why;
  const bool is_taken = openssl_takes(path, why);
  EXPECT_EQ(judgement.state, row.expected) << judgement.reason << " / OpenSSL: " << why;
  EXPECT_EQ(is_taken, row.expected == CertificateState::usable) << judgement.reason << " / OpenSSL: " << why;
  EXPECT_NE(judgement.reason.find(row.mention), std::string::npos) << judgement.reason;
  EXPECT_EQ(judgement.reason.starts_with(path), row.expected == CertificateState::broken) << judgement.reason;
}

TEST(Certificate, what_openssl_takes_is_usable) {
  for (const Row& row : usable_rows()) judge_row(row);
}

TEST(Certificate, what_is_broken_openssl_refuses) {
  for (const Row& row : broken_rows()) judge_row(row);
}

// OpenSSL refuses each of these, when it loads the file or at the latest in the handshake.
TEST(Certificate, what_cannot_be_told_is_left_to_the_sibling) {
  const std::string damaged = shortened(text_of("rsa.crt"));
  for (const auto& [text, mention] : std::vector<std::pair<std::string, std::string>>{
           {pair_of("ed25519.key", "ed255192.crt"), "private key"},
           {pair_of("rsa1024.key", "rsa1024.crt"), "2048 bits"},
           {pair_of("p256.key", "sha1.crt"), "SHA-256"},
           {pair_of("p256.key", "leaf.crt") + text_of("rsa1024.crt"), "2048 bits"},
           {pair_of("p256.key", "leaf.crt") + damaged, "no usable certificate"},
           {pair_of("p224.key", "p224.crt"), "no client gets through"}}) {
    std::string why;
    const std::string path = workshop().write("judged.pem", text);
    const CertificateJudgement judgement = judge_certificate(path);
    EXPECT_EQ(judgement.state, CertificateState::usable) << judgement.reason;
    EXPECT_FALSE(judgement.is_certain) << mention;
    EXPECT_FALSE(openssl_takes(path, why));
    EXPECT_NE(why.find(mention), std::string::npos) << why;
  }
}

// These are served without asking anybody, so each must really be.
TEST(Certificate, the_usual_kinds_are_certain) {
  for (const std::string& text :
       {pair_of("rsa.key", "rsa.crt"), pair_of("p256.key", "p256.crt"), pair_of("p384.key", "p384.crt"),
        pair_of("p256.key", "leaf.crt") + text_of("rsa.crt"), pair_of("rsa.pkcs1", "rsa.crt")}) {
    std::string why;
    const std::string path = workshop().write("judged.pem", text);
    EXPECT_TRUE(judge_certificate(path).is_certain);
    EXPECT_TRUE(openssl_takes(path, why)) << why;
  }
  for (const std::string rare : {"ed25519", "pss", "p224", "rsa1024"}) {
    const std::string path = workshop().write("judged.pem", pair_of(rare + ".key", rare + ".crt"));
    EXPECT_FALSE(judge_certificate(path).is_certain) << rare;
  }
}

// What is sure without OpenSSL must be so with it, and with the other kind of key OpenSSL has to be asked.
TEST(Certificate, ciphers_that_are_sure_to_work_do) {
  const std::string ec = workshop().write("ec.pem", pair_of("p256.key", "p256.crt"));
  const std::string rsa = workshop().write("rsa.pem", pair_of("rsa.key", "rsa.crt"));
  struct {
    std::string ciphers;
    bool is_sure_for_ec, is_sure_for_rsa, works_with_ec, works_with_rsa;
  } const rows[] = {{"ECDHE-ECDSA-AES128-GCM-SHA256", true, false, true, false},
                    {"ECDHE-RSA-AES256-GCM-SHA384", false, true, false, true},
                    {"DHE-RSA-AES128-GCM-SHA256", false, true, false, true},
                    {"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305", true, true, true, true},
                    {"TLS_AES_128_GCM_SHA256", true, true, true, true},
                    {"TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256", false, true, false, true},
                    {"HIGH", false, false, true, true},
                    {"DHE-RSA-AES128-SHA256", false, false, false, true},
                    {"AES128-GCM-SHA256", false, false, false, false},
                    {"NOSUCHCIPHER", false, false, false, false},
                    {"TLS_NO_SUCH_SUITE", false, false, false, false},
                    {"ECDHE-RSA-AES128-GCM-SHA256:!ECDHE", false, false, false, false}};
  const auto works = [](const std::string& path, const std::string& ciphers) {
    const auto loaded =
        TlsContext::load({.certificate_path = path, .ciphers = ciphers, .now_seconds = std::time(nullptr)});
    return loaded && loaded->try_handshake();
  };
  for (const auto& row : rows) {
    EXPECT_EQ(row.is_sure_for_ec, surely_selects(row.ciphers, KeyKind::ec)) << row.ciphers;
    EXPECT_EQ(row.is_sure_for_rsa, surely_selects(row.ciphers, KeyKind::rsa)) << row.ciphers;
    EXPECT_EQ(row.works_with_ec, works(ec, row.ciphers)) << row.ciphers;
    EXPECT_EQ(row.works_with_rsa, works(rsa, row.ciphers)) << row.ciphers;
  }
}

TEST(Certificate, no_file_is_absent_and_an_unreadable_one_is_broken) {
  EXPECT_EQ(judge_certificate(workshop().path("nowhere.pem")).state, CertificateState::absent);
  EXPECT_EQ(judge_certificate(workshop().path("nowhere/x.pem")).state, CertificateState::absent);

  const CertificateJudgement directory = judge_certificate(workshop().directory);
  EXPECT_EQ(directory.state, CertificateState::broken);
  EXPECT_NE(directory.reason.find("is not a file"), std::string::npos) << directory.reason;

  const std::string fifo = workshop().path("fifo.pem");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(judge_certificate(fifo).state, CertificateState::broken);  // and does not wait for a writer

  const std::string below = workshop().path("rsa.key/servercert.pem");  // ENOTDIR
  EXPECT_EQ(judge_certificate(below).state, CertificateState::broken);

  const std::string loop = workshop().path("loop.pem");  // ELOOP
  fs::create_symlink("loop.pem", loop);
  const CertificateJudgement looped = judge_certificate(loop);
  EXPECT_EQ(looped.state, CertificateState::broken);
  EXPECT_NE(looped.reason.find("cannot be read"), std::string::npos) << looped.reason;

  const std::string large = workshop().write("large.pem", std::string(300000, 'x'));
  EXPECT_EQ(judge_certificate(large).state, CertificateState::broken);
}

TEST(Certificate, an_unreadable_file_is_broken) {
  const std::string path = workshop().write("secret.pem", pair_of("rsa.key", "rsa.crt"));
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  const uid_t user = ::geteuid();
  if (user == 0) {
    ASSERT_EQ(::seteuid(65534), 0);  // root reads everything
  }
  const CertificateJudgement judgement = judge_certificate(path);
  ASSERT_EQ(::seteuid(user), 0);
  EXPECT_EQ(judgement.state, CertificateState::broken);
  EXPECT_NE(judgement.reason.find("Permission denied: let the user"), std::string::npos) << judgement.reason;
}

// A copy that ends where the text ends, so that the address sanitizer sees one octet too many.
template <typename Judge>
void judge_exactly(const std::string& text, Judge judge) {
  const std::vector<char> exact(text.begin(), text.end());
  judge(std::string_view(exact.data(), exact.size()));
}

std::string mutate(std::string text, std::mt19937& chance) {
  for (auto edits = 1 + chance() % 3; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = chance() % text.size();
    switch (chance() % 4) {
      case 0: text[at] = static_cast<char>(chance()); break;
      case 1: text.erase(at, 1 + chance() % 70); break;
      case 2: text.insert(at, text, chance() % text.size(), chance() % 70); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

TEST(Certificate, no_damage_to_the_text_hurts) {
  std::mt19937 chance(1);
  for (const Row& row : usable_rows()) {
    for (int i = 0; i < 500; ++i) {
      judge_exactly(mutate(row.text, chance), [](std::string_view text) {
        const CertificateJudgement judgement = judge_certificate_text("x", text);
        EXPECT_EQ(judgement.reason.empty(), judgement.state != CertificateState::broken);
      });
    }
  }
}

TEST(Certificate, no_damage_to_the_octets_hurts) {
  std::mt19937 chance(2);
  for (const std::string name : {"p256.key.der", "p256.crt.der", "rsa.key.der", "rsa.crt.der"}) {
    const std::string der = text_of(name);
    for (int i = 0; i < 20000; ++i) {
      judge_exactly(mutate(der, chance), [](std::string_view octets) {
        (void)public_key_of(octets);
        (void)is_surely_strong(octets);
        (void)private_key_of(octets);
      });
    }
    for (std::size_t length = 0; length < der.size(); ++length) {
      judge_exactly(der.substr(0, length), [](std::string_view octets) {
        EXPECT_FALSE(public_key_of(octets));
        EXPECT_FALSE(private_key_of(octets));
      });
    }
  }
}

}  // namespace
