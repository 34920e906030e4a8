// Not a parser of certificates: it takes one element after the other, checks that each lies within the one around it,
// and stops as soon as it holds the octets in question. OpenSSL does the rest in the sibling.
#include "tls/certificate_der.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace postern::tls {
namespace {

enum Tag : unsigned char {
  integer = 0x02,
  bit_string = 0x03,
  octet_string = 0x04,
  object_identifier = 0x06,
  sequence = 0x30,
  explicit_0 = 0xA0,
  explicit_1 = 0xA1,
};

constexpr std::string_view rsa_encryption("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01", 9);  // 1.2.840.113549.1.1.1
constexpr std::string_view rsassa_pss("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A", 9);      // 1.2.840.113549.1.1.10
constexpr std::string_view ec_public_key("\x2A\x86\x48\xCE\x3D\x02\x01", 7);           // 1.2.840.10045.2.1

constexpr std::array<std::string_view, 3> served_curves{
    std::string_view("\x2A\x86\x48\xCE\x3D\x03\x01\x07", 8),  // P-256: 1.2.840.10045.3.1.7
    std::string_view("\x2B\x81\x04\x00\x22", 5),              // P-384: 1.3.132.0.34
    std::string_view("\x2B\x81\x04\x00\x23", 5),              // P-521: 1.3.132.0.35
};
constexpr std::array<std::string_view, 6> sha_2_signatures{
    std::string_view("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0B", 9),  // with RSA: 1.2.840.113549.1.1.11, 12, 13
    std::string_view("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0C", 9),
    std::string_view("\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0D", 9),
    std::string_view("\x2A\x86\x48\xCE\x3D\x04\x03\x02", 8),  // with ECDSA: 1.2.840.10045.4.3.2, 3, 4
    std::string_view("\x2A\x86\x48\xCE\x3D\x04\x03\x03", 8),
    std::string_view("\x2A\x86\x48\xCE\x3D\x04\x03\x04", 8),
};
constexpr std::size_t least_modulus_octets = 256;

unsigned char octet(std::string_view der, std::size_t at) { return static_cast<unsigned char>(der[at]); }

bool begins_with(std::string_view der, Tag tag) { return !der.empty() && octet(der, 0) == tag; }

// The octets of the length itself: 1, or 2 to 5; 0 for the indefinite form and lengths that no key has.
std::size_t length_octets(std::string_view der) {
  if (der.size() < 2) return 0;
  const unsigned char first = octet(der, 1);
  if (first < 0x80) return 1;
  return first == 0x80 || first > 0x84 ? 0 : first - 0x7FU;
}

// Takes one element with that tag off the front of `der` and gives its contents.
std::optional<std::string_view> take(std::string_view& der, Tag tag) {
  const std::size_t lengths = length_octets(der);
  if (lengths == 0 || octet(der, 0) != tag || der.size() < 1 + lengths) return std::nullopt;
  std::size_t length = lengths == 1 ? octet(der, 1) : 0;
  for (std::size_t i = 1; i < lengths; ++i) length = length << 8 | octet(der, 1 + i);
  if (length > der.size() - 1 - lengths) return std::nullopt;
  const std::string_view contents = der.substr(1 + lengths, length);
  der.remove_prefix(1 + lengths + length);
  return contents;
}

bool skip(std::string_view& der, Tag tag) { return take(der, tag).has_value(); }

KeyKind kind_of(std::string_view algorithm) {
  if (algorithm == rsa_encryption || algorithm == rsassa_pss) return KeyKind::rsa;
  return algorithm == ec_public_key ? KeyKind::ec : KeyKind::other;
}

// RFC 5480 2.2: 04 x y, or 02 or 03 and x alone. Two forms of one point share x.
std::string_view x_of(std::string_view point) {
  if (point.empty()) return {};
  const std::string_view coordinates = point.substr(1);
  return point.front() == 0x02 || point.front() == 0x03 ? coordinates : coordinates.substr(0, coordinates.size() / 2);
}

// The fields of a certificate that are looked at.
struct CertificateFields {
  std::string_view issuer, subject, key_info, signature_algorithm;
};

std::optional<CertificateFields> fields_of(std::string_view certificate) {
  auto whole = take(certificate, sequence);
  auto fields = whole ? take(*whole, sequence) : std::nullopt;
  if (!fields) return std::nullopt;
  if (begins_with(*fields, explicit_0) && !skip(*fields, explicit_0)) return std::nullopt;  // version
  if (!skip(*fields, integer) || !skip(*fields, sequence)) return std::nullopt;  // serial number, signature algorithm
  const auto issuer = take(*fields, sequence);
  const auto validity = take(*fields, sequence);
  const auto subject = take(*fields, sequence);
  const auto info = take(*fields, sequence);
  if (!issuer || !validity || !subject || !info) return std::nullopt;
  CertificateFields found{.issuer = *issuer, .subject = *subject, .key_info = *info, .signature_algorithm = {}};
  auto algorithm = take(*whole, sequence);
  const auto name = algorithm ? take(*algorithm, object_identifier) : std::nullopt;
  if (name && skip(*whole, bit_string) && whole->empty()) found.signature_algorithm = *name;
  return found;
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

bool has_strong_rsa_key(std::string_view key) {
  auto modulus = take(key, integer);
  while (modulus && !modulus->empty() && modulus->front() == 0) modulus->remove_prefix(1);
  return modulus && modulus->size() >= least_modulus_octets && (octet(*modulus, 0) & 0x80U) != 0;
}

bool has_strong_key(std::string_view info) {
  auto algorithm = take(info, sequence);
  auto bits = take(info, bit_string);
  const auto name = algorithm ? take(*algorithm, object_identifier) : std::nullopt;
  if (!name || !bits || bits->empty()) return false;
  if (*name == ec_public_key) {
    const auto curve = take(*algorithm, object_identifier);
    return curve && is_one_of(*curve, served_curves);
  }
  bits->remove_prefix(1);  // the count of unused bits
  const auto key = take(*bits, sequence);
  return *name == rsa_encryption && key && has_strong_rsa_key(*key);
}

std::optional<KeyOctets> subject_public_key(std::string_view info) {
  auto algorithm = take(info, sequence);
  const auto name = algorithm ? take(*algorithm, object_identifier) : std::nullopt;
  auto bits = take(info, bit_string);
  if (!name || !bits || bits->empty()) return std::nullopt;
  bits->remove_prefix(1);  // the count of unused bits
  KeyOctets key{.kind = kind_of(*name), .octets = {}, .algorithm = *name};
  if (key.kind == KeyKind::ec) key.octets = x_of(*bits);
  if (key.kind == KeyKind::rsa) key.octets = take(*bits, sequence).value_or(std::string_view{});
  if (key.kind != KeyKind::other && key.octets.empty()) return std::nullopt;
  return key;
}

// RFC 5915 3: version 1, the secret, [0] parameters, [1] the public point; the last two may be missing.
std::optional<KeyOctets> ec_private_key(std::string_view fields) {
  if (!skip(fields, octet_string)) return std::nullopt;
  if (begins_with(fields, explicit_0) && !skip(fields, explicit_0)) return std::nullopt;
  KeyOctets key{.kind = KeyKind::ec, .octets = {}, .algorithm = ec_public_key};
  if (begins_with(fields, explicit_1)) key.octets = take(fields, explicit_1).value_or(std::string_view{});
  return key;
}

}  // namespace

std::optional<KeyOctets> public_key_of(std::string_view certificate) {
  const auto fields = fields_of(certificate);
  return fields ? subject_public_key(fields->key_info) : std::nullopt;
}

bool is_surely_strong(std::string_view certificate) {
  const auto fields = fields_of(certificate);
  if (!fields || fields->signature_algorithm.empty() || !has_strong_key(fields->key_info)) return false;
  return fields->issuer == fields->subject || is_one_of(fields->signature_algorithm, sha_2_signatures);
}

std::optional<KeyOctets> private_key_of(std::string_view key) {
  auto fields = take(key, sequence);
  if (!fields || !skip(*fields, integer)) return std::nullopt;
  std::string_view name;
  if (begins_with(*fields, sequence)) {  // PKCS #8 wraps one of the other two
    auto algorithm = take(*fields, sequence);
    const auto identifier = algorithm ? take(*algorithm, object_identifier) : std::nullopt;
    auto wrapped = take(*fields, octet_string);
    if (!identifier || !wrapped) return std::nullopt;
    if (kind_of(*identifier) == KeyKind::other) return KeyOctets{KeyKind::other, {}, *identifier};
    fields = take(*wrapped, sequence);
    if (!fields || !skip(*fields, integer)) return std::nullopt;
    name = *identifier;
  }
  if (begins_with(*fields, integer)) return KeyOctets{KeyKind::rsa, *fields, name};
  return ec_private_key(*fields);
}

Belonging compare_keys(const KeyOctets& of_certificate, const KeyOctets& of_private_key) {
  if (of_certificate.kind != of_private_key.kind) return Belonging::different;
  if (of_certificate.kind == KeyKind::other) {
    const bool is_one_algorithm = of_certificate.algorithm == of_private_key.algorithm;
    return is_one_algorithm ? Belonging::untold : Belonging::different;
  }
  if (of_private_key.octets.empty()) return Belonging::untold;
  return of_private_key.octets.contains(of_certificate.octets) ? Belonging::same : Belonging::different;
}

}  // namespace postern::tls
