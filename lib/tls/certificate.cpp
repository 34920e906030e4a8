// The leniencies are OpenSSL's, because what it takes must not be refused here: text around the blocks, any line ends,
// headers within a block, further blocks of other kinds (EC PARAMETERS, DH PARAMETERS) anywhere.
#include "tls/certificate.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/text_lines.hpp"
#include "grammar/base64.hpp"
#include "tls/certificate_der.hpp"

namespace postern::tls {
namespace {

constexpr off_t max_file_octets = 262144;  // a key and a chain of fifty certificates

// Text that holds a private key; no octet of it outlives it.
class Secret {
 public:
  explicit Secret(std::size_t octets) : text(octets, '\0') {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { ::explicit_bzero(text.data(), text.size()); }
  [[nodiscard]] std::string_view view() const { return std::string_view(text).substr(0, length); }

  std::string text;  // only ever shortened by giving out views: a move would leave a copy behind
  std::size_t length = 0;
};

struct Block {
  std::string_view label;
  std::string_view body;
  std::size_t line;  // of its first line, from 1
};

struct Blocks {
  std::optional<Block> key;
  std::vector<Block> certificates;
  std::optional<std::size_t> unfinished_line;
};

CertificateJudgement usable(KeyKind kind, bool is_certain) {
  return {.state = CertificateState::usable, .reason = {}, .is_certain = is_certain, .key_kind = kind};
}

CertificateJudgement broken(std::string_view name, std::string_view what) {
  return {.state = CertificateState::broken, .reason = std::string(name).append(what)};
}

std::string at_line(std::string_view name, std::size_t line) {
  return std::string(name).append(" line ").append(std::to_string(line));
}

// One line without its end and without trailing blanks, off the front of `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
  return line;
}

// "-----BEGIN label-----"
std::optional<std::string_view> label_in(std::string_view line, std::string_view begin) {
  constexpr std::string_view dashes = "-----";
  if (!line.starts_with(begin) || line.size() < begin.size() + dashes.size() || !line.ends_with(dashes)) return {};
  return line.substr(begin.size(), line.size() - begin.size() - dashes.size());
}

bool is_key(std::string_view label) { return label.ends_with("PRIVATE KEY"); }

bool is_certificate(std::string_view label) {
  return label == "CERTIFICATE" || label == "X509 CERTIFICATE" || label == "TRUSTED CERTIFICATE";
}

// The block that `label` begins, off the front of `text`; nullopt when its end line is missing or another's.
std::optional<Block> take_block(std::string_view& text, std::string_view label, std::size_t& line) {
  const std::string_view start = text;
  const std::size_t first_line = line;
  while (!text.empty()) {
    const std::size_t body_octets = start.size() - text.size();
    const auto ended = label_in(take_line(text), "-----END ");
    ++line;
    if (!ended) continue;
    if (*ended != label) return std::nullopt;
    return Block{.label = label, .body = start.substr(0, body_octets), .line = first_line};
  }
  return std::nullopt;
}

Blocks find_blocks(std::string_view text) {
  if (text.starts_with(base::utf8_mark)) text.remove_prefix(base::utf8_mark.size());  // as OpenSSL does
  Blocks found;
  for (std::size_t line = 0; !text.empty();) {
    const auto label = label_in(take_line(text), "-----BEGIN ");
    ++line;
    if (!label) continue;
    const std::size_t first_line = line;
    const auto block = take_block(text, *label, line);
    if (!block) {
      found.unfinished_line = first_line;
      return found;
    }
    if (is_key(*label) && !found.key) found.key = block;
    if (is_certificate(*label)) found.certificates.push_back(*block);
  }
  return found;
}

// RFC 1421 4.4: "Proc-Type: 4,ENCRYPTED" and the like, up to an empty line. Gives the headers.
std::string_view take_headers(std::string_view& body) {
  std::string_view rest = body;
  if (!take_line(rest).contains(':')) return {};
  const std::string_view start = body;
  while (!body.empty() && !take_line(body).empty()) {
  }
  return start.substr(0, start.size() - body.size());
}

// The octets of a block, decoded where its characters were gathered; nullopt when they are no base64.
std::optional<std::string_view> decode(std::string_view body, Secret& storage) {
  std::size_t length = 0;
  while (!body.empty()) {
    const std::string_view line = take_line(body);
    std::memcpy(storage.text.data() + length, line.data(), line.size());
    length += line.size();
  }
  const std::string_view characters(storage.text.data(), length);
  const auto octets = grammar::decode_base64(characters, storage.text);
  if (!octets || *octets == 0) return std::nullopt;
  return std::string_view(storage.text.data(), *octets);
}

bool is_strong_block(const Block& certificate) {
  std::string_view body = certificate.body;
  (void)take_headers(body);
  Secret storage(body.size());
  const auto der = decode(body, storage);
  return der && is_surely_strong(*der);
}

// A block, and the file it is in.
struct PlacedKey {
  std::string_view file;
  const Block& block;
};

CertificateJudgement judge_pair(std::string_view name, PlacedKey placed, std::span<const Block> certificates) {
  const Block& key = placed.block;
  const Block& certificate = certificates.front();
  std::string_view key_body = key.body;
  std::string_view certificate_body = certificate.body;
  const std::string_view headers = take_headers(key_body);
  (void)take_headers(certificate_body);
  if (key.label == "ENCRYPTED PRIVATE KEY" || headers.contains("ENCRYPTED")) {
    return broken(at_line(placed.file, key.line),
                  ": the private key is encrypted and nobody is there to type its passphrase: "
                  "write it without one (openssl pkey)");
  }
  Secret key_storage(key_body.size());
  Secret certificate_storage(certificate_body.size());
  const auto key_der = decode(key_body, key_storage);
  const auto certificate_der = decode(certificate_body, certificate_storage);
  const auto private_key = key_der ? private_key_of(*key_der) : std::nullopt;
  const auto public_key = certificate_der ? public_key_of(*certificate_der) : std::nullopt;
  constexpr std::string_view damaged = " that begins here is cut short or damaged: copy it into the file again";
  if (!private_key) return broken(at_line(placed.file, key.line), std::string(": the private key").append(damaged));
  if (!public_key) return broken(at_line(name, certificate.line), std::string(": the certificate").append(damaged));
  const Belonging belonging = compare_keys(*public_key, *private_key);

  if (belonging != Belonging::different)
    return usable(public_key->kind, belonging == Belonging::same && std::ranges::all_of(certificates, is_strong_block));
  return broken(at_line(name, certificate.line),
                ": this certificate does not belong to the private key: put the certificate made for that key first, "
                "its chain after it");
}

std::optional<CertificateJudgement> judge_status(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    return broken(path, " is not a file: put a PEM file with the private key and its certificate there");
  }
  if (status.st_size > max_file_octets) {
    return broken(path, std::string(" is longer than ")
                            .append(std::to_string(max_file_octets))
                            .append(" octets: let it hold a private key, its certificate and the chain"));
  }
  return std::nullopt;
}

CertificateJudgement unreadable(const std::string& path, int error) {
  if (error == ENOENT) return {.state = CertificateState::absent, .reason = {}};
  return broken(path, std::string(" cannot be read: ")
                          .append(std::strerror(error))
                          .append(": let the user that postern runs as read it"));
}

// A file's text, or what is wrong with it (absent when there is none).
using FileText = std::expected<std::unique_ptr<Secret>, CertificateJudgement>;

FileText read_open_file(const std::string& path, int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return std::unexpected(unreadable(path, errno));
  if (auto judgement = judge_status(path, status)) return std::unexpected(*std::move(judgement));
  auto file = std::make_unique<Secret>(static_cast<std::size_t>(status.st_size));
  std::size_t length = 0;
  while (length < file->text.size()) {
    const ssize_t got = ::read(fd, file->text.data() + length, file->text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(unreadable(path, errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  file->length = length;
  return file;
}

FileText read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not stop the start
  if (fd == -1) return std::unexpected(unreadable(path, errno));
  FileText text = read_open_file(path, fd);
  ::close(fd);
  return text;
}

std::optional<CertificateJudgement> judge_ends(std::string_view name, const Blocks& found) {
  if (!found.unfinished_line) return std::nullopt;
  return broken(at_line(name, *found.unfinished_line),
                ": the block that begins here has no end line of the same name: copy it into the file again");
}

// Of a file that lacks a block: the first one may be hidden.
CertificateJudgement lacking(std::string_view name, std::string_view pem, std::string_view what) {
  if (pem.starts_with(std::string(base::utf8_mark) + "-----BEGIN"))
    what = " begins with a byte order mark, which hides its first block: save it without one";
  return broken(name, what);
}

CertificateJudgement judge_two(const CertificateFiles& files, std::string_view certificate, std::string_view key) {
  const Blocks chain = find_blocks(certificate);
  const Blocks keys = find_blocks(key);
  if (auto judgement = judge_ends(files.certificate, chain)) return *std::move(judgement);
  if (auto judgement = judge_ends(files.key, keys)) return *std::move(judgement);
  if (chain.certificates.empty())
    return lacking(files.certificate, certificate, " holds no certificate in PEM: put it there, its chain after it");
  if (!keys.key)
    return lacking(files.key, key, " holds no private key in PEM: TLS_SERVER_KEY names the file of the key");
  return judge_pair(files.certificate, {.file = files.key, .block = *keys.key}, chain.certificates);
}

CertificateJudgement judge_files(const CertificateFiles& files) {
  if (files.key.empty()) return judge_certificate(files.certificate);
  const FileText certificate = read_file(files.certificate);
  if (!certificate) return certificate.error();
  const FileText key = read_file(files.key);
  if (key) return judge_two(files, (*certificate)->view(), (*key)->view());
  if (key.error().state != CertificateState::absent) return key.error();
  return broken(files.key, " does not exist, and TLS_SERVER_KEY names it: put the private key there");
}

}  // namespace

CertificateJudgement judge_certificate(const std::string& path) {
  const FileText text = read_file(path);
  return text ? judge_certificate_text(path, (*text)->view()) : text.error();
}

CertificatePlace certificate_place(std::string_view tls_server_cert, std::string_view tls_server_key) {
  const std::string_view certificate = tls_server_cert.empty() ? "control/servercert.pem" : tls_server_cert;
  return {.files = {.certificate = std::string(certificate), .key = std::string(tls_server_key)},
          .is_named = !tls_server_cert.empty() || !tls_server_key.empty()};
}

CertificateJudgement judge_certificate(const CertificatePlace& place) {
  CertificateJudgement judgement = judge_files(place.files);
  if (judgement.state != CertificateState::absent || !place.is_named) return judgement;
  return broken(place.files.certificate,
                " does not exist, and TLS_SERVER_CERT names it: put the certificate there, or set DENY_TLS=1");
}

CertificateJudgement judge_certificate_text(std::string_view name, std::string_view pem) {
  const Blocks found = find_blocks(pem);
  if (auto judgement = judge_ends(name, found)) return *std::move(judgement);
  if (!found.key && found.certificates.empty()) {
    return lacking(name, pem, " holds neither a private key nor a certificate in PEM: put both there, the key first");
  }
  if (!found.key)
    return lacking(name, pem,
                   " holds no private key: put the key before the certificate in that file, or name its file with "
                   "TLS_SERVER_KEY");
  if (found.certificates.empty())
    return lacking(name, pem, " holds no certificate: put it after the key in that file, its chain last");
  return judge_pair(name, {.file = name, .block = *found.key}, found.certificates);
}

}  // namespace postern::tls
